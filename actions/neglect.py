"""A gentle round through the signs of neglect, and the plan for tonight: the answers in their own words."""

from __future__ import annotations

from collections.abc import Mapping

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _rounds, _suicide, _turns
from actions._rounds import FINE_MARK, PLAN, SIGN
from actions._standing import standing
from bot import handover
from bot.bootstrap import core


class ActionBeginRound(Action):
    """After a yes: the first question about how things are at home, or the end if all was told."""

    def name(self) -> str:
        return "action_begin_round"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        return _next(dispatcher, tracker, SIGN, [])


class ActionGoOn(Action):
    """Takes the answer to the question that is open, whatever it is, and asks the next."""

    def name(self) -> str:
        return "action_go_on"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if open_now := _rounds.open_question(tracker):
            return go_on(dispatcher, tracker, *open_now)
        dispatcher.utter_message(response="utter_listening")
        return [SlotSet("asked", "worry")]


class ActionNotHarm(Action):
    """Nobody is hurting them: on with the small questions if they had begun, else what would help."""

    def name(self) -> str:
        return "action_not_harm"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        if asked := next_of_round(dispatcher, tracker):
            return asked
        dispatcher.utter_message(response="utter_not_harm")
        return [SlotSet("asked", "worry")]


class ActionMakePlan(Action):
    """The first step of a plan for tonight."""

    def name(self) -> str:
        return "action_make_plan"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        # A second plan begins anew: what was true the first time may not be true tonight.
        others = [entry for entry in tracker.get_slot("told") or () if not entry.startswith(PLAN)]
        dispatcher.utter_message(response="utter_plan_begin")
        return [_rounds.ask(dispatcher, PLAN, "where"), SlotSet("told", others)]


def next_of_round(dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
    """On with a round about home that another question came into; empty if none is under way."""
    if not _rounds.asked(tracker, SIGN) or not (left := _rounds.left(tracker, SIGN)):
        return []
    dispatcher.utter_message(response=_rounds.acknowledgement(tracker, SIGN))
    return [_rounds.ask(dispatcher, SIGN, left[0])]


def go_on(dispatcher: CollectingDispatcher, tracker: Tracker, kind: str, name: str) -> list[EventType]:
    """Keeps this message as the answer, and asks the next question or ends the round.

    An answer that may tell of harm and may not is asked about first, once, plainly.
    """
    answers = _rounds.noted(tracker, kind, name)
    kept: list[EventType] = [SlotSet("told", answers)]
    if _turns.risk(tracker).get("unsure") and "harm" not in _suicide.plainly_asked(tracker):
        dispatcher.utter_message(response="utter_hear_more")
        dispatcher.utter_message(response="utter_ask_harm")
        asked = [*_suicide.plainly_asked(tracker), "harm"]
        return [*kept, SlotSet("asked", "harm"), SlotSet("plainly_asked", asked)]
    if kind == SIGN and _turns.intent(tracker) == "deny" and not _turns.words(tracker):
        return [*kept, *_end(dispatcher, tracker, kind, answers)]  # the button that stops the questions
    if _rounds.left(tracker, kind, [name]):
        dispatcher.utter_message(response=_rounds.acknowledgement(tracker, kind))
    return [*kept, *_next(dispatcher, tracker, kind, answers)]


def _next(
    dispatcher: CollectingDispatcher, tracker: Tracker, kind: str, answers: list[str]
) -> list[EventType]:
    done = [entry.split(": ", 1)[0].removeprefix(kind) for entry in answers]
    if to_ask := _rounds.left(tracker, kind, done):
        return [_rounds.ask(dispatcher, kind, to_ask[0])]
    return _end(dispatcher, tracker, kind, answers)


def _end(
    dispatcher: CollectingDispatcher, tracker: Tracker, kind: str, answers: list[str]
) -> list[EventType]:
    if kind == PLAN:
        return _plan_made(dispatcher, answers)
    now = standing(tracker)
    if now.waiting:
        _add_to_handover(tracker, signs_in(answers))
        dispatcher.utter_message(response="utter_round_added", who=now.who)
        return [SlotSet("asked", "worry")]
    dispatcher.utter_message(response="utter_round_over")
    dispatcher.utter_message(response="utter_offer_adult_after_round")
    return [SlotSet("asked", "offer_adult")]


def _plan_made(dispatcher: CollectingDispatcher, answers: list[str]) -> list[EventType]:
    steps = dict(entry.split(": ", 1) for entry in answers if entry.startswith(PLAN))
    given = [words for words in steps.values() if words.strip() and words != FINE_MARK]
    if given:
        dispatcher.utter_message(response="utter_plan_made", plan="\n".join(given))
    dispatcher.utter_message(response="utter_plan_end")
    return [SlotSet("asked", "nothing")]


def _add_to_handover(tracker: Tracker, signs: Mapping[str, str]) -> None:
    with core().uow() as uow:
        handover.open_handover(uow, tracker.sender_id, kind=handover.MESSAGE, now=core().now(), details=signs)
        uow.commit()


def signs_in(answers: list[str]) -> dict[str, str]:
    """Their words by sign, for the details of a handover: ``{"sign_food": "crisps mostly"}``."""
    entries = (entry.split(": ", 1) for entry in answers if entry.startswith(SIGN))
    return {f"sign_{name.removeprefix(SIGN)}": words.strip() for name, words in entries if words.strip()}


def told_signs(tracker: Tracker) -> dict[str, str]:
    """What was told in the round so far, for whoever opens a handover; empty if nothing was."""
    return signs_in(list(tracker.get_slot("told") or ()))
