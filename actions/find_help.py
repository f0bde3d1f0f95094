"""What help there is: three short questions, each of which can be skipped, then services as cards."""

from __future__ import annotations

import re
from typing import Any

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.types import DomainDict

from actions import _turns
from actions._finding import (
    ANY,
    AT_ONCE,
    SLOTS,
    forget_postcode,
    library,
    place_typed,
    query_of,
    wish_of,
)
from actions._form_answers import ASIDES, DOORS, LONG
from actions._services import say_numbers
from bot.bootstrap import core
from bot.directory.ages import age_in
from bot.directory.shown import lines, notices, show, show_hit
from bot.messages import Channel

#: What leaves the questions: the rules of data/rules/find_help.yml answer it.
LEAVES = DOORS | {
    "stop",
    "delete",
    "bye",
    "talk_to_person",
    "changed_mind_joking",
    "someone_watching",
    "safe_now_yes",
    "safe_now_no",
    "early_help_request",
    "report_concern",
}
SKIPS = frozenset({"skip", "unsure", "deny"})
#: What a parent or carer says who came through no door.
PARENT = re.compile(
    r"\bmy (\w+ )?(sons?|daughters?|child|childs|children|kids?|boys?|girls?|baby|toddler|twins|grand\w+)\b"
    r"|\bmy \d+ ?(year|yr|month)s?\b"
    r"|\bparent(s|ing)?\b|\b(carers?|dads|mums|fathers|mothers)\b",
    re.IGNORECASE,
)
QUESTIONS = ["find_need", "find_age", "find_area"]
FILTERS = frozenset({"open", "free", "self"})


class ValidateFindHelpForm(FormValidationAction):
    """Reads the answers. What they typed is not kept: a need, an age, and an area without its postcode."""

    def name(self) -> str:
        return "validate_find_help_form"

    async def required_slots(
        self,
        domain_slots: list[str],
        dispatcher: CollectingDispatcher,
        tracker: Tracker,
        domain: DomainDict,
    ) -> list[str]:
        # A young person gets the lines for young people at once, and no questions.
        asked = tracker.get_slot("requested_slot") in QUESTIONS or wish_of(tracker)[0]
        adult = _turns.adult_speaks(tracker) or PARENT.search(_turns.words(tracker))
        return list(QUESTIONS) if asked or adult else []

    def extract_find_need(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict
    ) -> dict[str, Any]:
        name, value = wish_of(tracker)
        if name == "need" and (value == ANY or value in library().needs):
            return {"find_need": value}
        if name == "anew":
            return {"find_need": None, "find_filters": None}
        if tracker.get_slot("requested_slot") is None:
            return _need_so_far(tracker)
        if _leaves("find_need", tracker):
            return {}
        if _aside(dispatcher, tracker):
            return {"find_need": None}
        if _turns.intent(tracker) in SKIPS:
            return {"find_need": ANY}
        found = library().needs.find(_turns.words(tracker))
        if not found:
            dispatcher.utter_message(response="utter_find_help_unclear")
        return {"find_need": found[0] if found else ANY}

    def extract_find_age(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict
    ) -> dict[str, Any]:
        name, value = wish_of(tracker)
        if name == "age":
            return {"find_age": value}
        if _leaves("find_age", tracker):
            return {}
        if _aside(dispatcher, tracker):
            return {"find_age": None}
        age = age_in(_turns.words(tracker))
        # Asked once: whoever answers with something else would rather not say.
        return {"find_age": ANY if age is None else f"{age:g}"}

    def extract_find_area(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict
    ) -> dict[str, Any]:
        name, _ = wish_of(tracker)
        if name == "area":
            return {"find_area": ANY}
        if _leaves("find_area", tracker):
            return {}
        if _aside(dispatcher, tracker):
            return {"find_area": None}
        if _turns.intent(tracker) in SKIPS:
            return {"find_area": ANY}
        kept, told = place_typed(_turns.words(tracker))
        if kept:
            forget_postcode(tracker.sender_id)
        elif told:
            dispatcher.utter_message(response=told[0], **told[1])
        return {"find_area": kept}


class ActionFindHelp(Action):
    """Shows what fits: for a parent from the directory, for a young person the lines for their worry."""

    def name(self) -> str:
        return "action_find_help"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: DomainDict) -> list[EventType]:
        if tracker.get_slot("find_need") is None:
            return _lines_for_young_people(dispatcher, tracker)
        name, value = wish_of(tracker)
        slots = {slot: tracker.get_slot(slot) for slot in SLOTS}
        page = int(slots["find_page"] or 0)
        if name == "leaflet":
            _leaflet(dispatcher, tracker, slots, page)
            return [SlotSet("asked", "nothing")]
        page = page + 1 if name == "more" else 0
        if name in FILTERS:
            chosen = f"{name}:{value}" if value else name
            slots["find_filters"] = f"{slots['find_filters'] or ''} {chosen}".strip()
        _results(dispatcher, slots, page)
        return [
            SlotSet("find_filters", slots["find_filters"]),
            SlotSet("find_page", page),
            SlotSet("asked", "offer_help"),
        ]


def _leaves(question: str, tracker: Tracker) -> bool:
    """Whether the message is no answer to this question: another one is open, or they go elsewhere."""
    asked = tracker.get_slot("requested_slot") == question
    intent = _turns.intent(tracker)
    return not asked or intent in LEAVES or (_turns.pressed(tracker) and intent not in SKIPS | ASIDES.keys())


def _aside(dispatcher: CollectingDispatcher, tracker: Tracker) -> bool:
    """Answers a question asked in between; the open one is then asked again."""
    intent = _turns.intent(tracker)
    if intent not in ASIDES or len(_turns.words(tracker).split()) > LONG:
        return False
    dispatcher.utter_message(response=ASIDES[intent])
    return True


def _need_so_far(tracker: Tracker) -> dict[str, Any]:
    """The need that the request itself, or what they told before, speaks of."""
    needs = library().needs
    found = needs.find(_turns.words(tracker))
    if not found and tracker.get_slot("find_need"):
        return {}
    if not found and (topic := tracker.get_slot("topic")):
        found = needs.of_topic(topic)
    for event in reversed(tracker.events):
        if found:
            break
        text = str(event.get("text") or "") if event.get("event") == "user" else ""
        found = needs.find(text) if text and not text.startswith("/") else found
    return {"find_need": found[0]} if found else {}


def _results(dispatcher: CollectingDispatcher, slots: dict[str, Any], page: int) -> None:
    content = core().content
    found = library().directory().search(query_of(slots), core().now())
    first = found.first(AT_ONCE)
    others = [hit for hit in found.hits if hit not in first]
    hits = first if page == 0 else others[(page - 1) * AT_ONCE : page * AT_ONCE]
    if not hits and page:
        dispatcher.utter_message(response="utter_find_help_no_more")
    elif hits and not page:
        dispatcher.utter_message(response="utter_find_help_found")
    for words in notices(found, content) if not page else ():
        dispatcher.utter_message(response="utter_find_help_note", words=words)
    for hit in hits:
        shown = show_hit(hit, content)
        names = ("who", "how", "wait", "cost", "hours", "where", "checked")
        told = dict(zip(names, lines(shown, content), strict=True))
        dispatcher.utter_message(response="utter_service_card", title=shown.name, **told)
    on = set(str(slots["find_filters"] or "").split())
    wanted = [
        dict(button)
        for button in content.choices("utter_find_help_buttons")
        if not any(f'"{chosen}"' in button["payload"] for chosen in on)
    ]
    dispatcher.utter_message(response="utter_find_help_more", buttons=wanted)


def _leaflet(dispatcher: CollectingDispatcher, tracker: Tracker, slots: dict[str, Any], page: int) -> None:
    content, now = core().content, core().now()
    found = library().directory().search(query_of(slots), now)
    chosen = [*found.first(AT_ONCE)]
    if page:
        others = [hit for hit in found.hits if hit not in chosen]
        chosen = others[(page - 1) * AT_ONCE : page * AT_ONCE]
    address = "/leaflet?" + "&".join(f"s={hit.service.id}" for hit in chosen)
    with core().store.read() as uow:
        conversation = uow.conversation(tracker.sender_id)
        in_browser = conversation is not None and conversation.channel == Channel.WEB.value
    dispatcher.utter_message(response="utter_find_help_leaflet")
    if in_browser:
        dispatcher.utter_message(
            response="utter_leaflet_card",
            title=content.say("utter_leaflet_title"),
            about=content.say("utter_leaflet_about"),
            open=content.say("utter_leaflet_open"),
            address=address,
        )
        return
    for hit in chosen:
        shown = show(hit.service, content, now.date())
        words = "\n".join((shown.name, *lines(shown, content), shown.url)).strip()
        dispatcher.utter_message(response="utter_find_help_note", words=words)


def _lines_for_young_people(dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
    dispatcher.utter_message(response="utter_find_help")
    say_numbers(dispatcher, "child", tracker.get_slot("topic"))
    dispatcher.utter_message(response="utter_find_help_next")
    return [SlotSet("asked", "nothing")]
