"""The floor: what the person is told, whatever Rasa said. Never silence, never nonsense at a disclosure.

After each turn the risk is looked at once more. If it needs a person, a handover is open afterwards, and
words from ``data/responses/safety.yml`` of at least that level were said: by the dialogue, or from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot import handover
from bot.risk.taxonomy import Finding, Level
from bot.store.uow import UnitOfWork


@dataclass
class Reply:
    """One thing the bot says, before it is stored."""

    text: str = ""
    choices: list[dict[str, str]] = field(default_factory=list)
    cards: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Answer:
    """What Rasa said, with the directives of its actions taken out of it."""

    replies: list[Reply] = field(default_factory=list)
    safety: Level = Level.NONE  # the highest level whose safety words were said
    asked: str | None = None
    do: str | None = None


def keep_floor(
    uow: UnitOfWork,
    conversation_id: str,
    finding: Finding,
    answer: Answer | None,
    now: datetime,
    *,
    was_asked: bool,
) -> Sequence[Reply]:
    """What to say after a turn. ``answer`` is None when the dialogue was down.

    Opens the handover that the finding needs, if no action did. ``was_asked`` is false when the dialogue
    had nothing to answer (a picture without words, an edit that only mends a word).
    """
    if finding.level.needs_person:
        opened = handover.open_handover(uow, conversation_id, now=now, finding=finding, actor="floor")
        if answer is None or not answer.replies or answer.safety < finding.level:
            return [_fixed_words(uow, opened, finding.level)]
    if not was_asked:
        return []
    if answer is None or not answer.replies:
        choices = [dict(choice) for choice in uow.content.choices("utter_machine_down")]
        return [Reply(uow.content.say("utter_machine_down"), choices)]
    return answer.replies


def read_answer(items: Sequence[Mapping[str, Any]]) -> Answer:
    """Rasa's replies, with the directives of our actions (``custom.earshot``) taken out."""
    answer = Answer()
    cards: list[dict[str, Any]] = []
    for item in items:
        directive = (item.get("custom") or {}).get("earshot") or {}
        if "safety" in directive:
            answer.safety = max(answer.safety, Level(directive["safety"]), key=lambda level: level.rank)
        if "asked" in directive:
            answer.asked = directive["asked"]
            # What a response says of itself comes right after its words: its buttons answer that question.
            for choice in answer.replies[-1].choices if answer.replies else ():
                choice["asks"] = answer.asked
        answer.do = directive.get("do", answer.do)
        cards.extend(directive.get("cards", ()))
        if item.get("text"):
            buttons = [{"title": b["title"], "payload": b["payload"]} for b in item.get("buttons") or ()]
            answer.replies.append(Reply(item["text"], buttons))
    if cards:
        if not answer.replies:
            answer.replies.append(Reply())
        answer.replies[-1].cards.extend(cards)
    return answer


def _fixed_words(uow: UnitOfWork, opened: handover.Opened, level: Level) -> Reply:
    if level is Level.IMMEDIATE:
        name = "utter_safety_fallback_immediate"
    elif opened.on_duty:
        name = "utter_safety_fallback_high"
    else:
        name = "utter_safety_high_nobody_on_duty"
    return Reply(uow.content.say(name, who=opened.who, by_when=opened.by_when))
