"""What no intent fits: keep what may be a worry, say so honestly, and offer a person the second time."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _rounds, _suicide, _turns
from actions._place import whole_postcode
from actions._reflection import face, in_other_letters, laughs
from actions._standing import standing
from actions._topics import topic_of
from actions.consent import asked_before
from actions.neglect import go_on
from actions.worry import OFFER, ask_gently, hear_worry

#: Responses to what was not understood.
NOT_UNDERSTOOD = {"utter_fallback", "utter_fallback_again", "utter_out_of_scope"}
#: After these even a bit of a thought is answered like anything unclear: what is never understood must not be
#: listened to for ever, and a person is offered.
NO_MORE_PIECES = {"utter_go_on", *NOT_UNDERSTOOD}
#: No more words than this: a postcode and nothing else.
POSTCODE_ALONE = 3
#: Responses that ask something open: what comes after them is an answer, understood or not. (Whatever
#: asks and sets the slot ``asked`` to ``worry`` needs no place here.)
OPEN_QUESTIONS = {
    "utter_greet",
    "utter_how_are_you",
    "utter_not_sure_its_a_problem",
    "utter_no_proof",
    "utter_name_no_adult",
    "utter_unsure_ok",
    "utter_correction",
    "utter_fear_children_taken",
    "utter_fear_children_taken_tell",
    "utter_safe_now_yes",
    "utter_not_suicide",
    "utter_not_harm",
    "utter_promised_not_to_tell",
    "utter_friend_options",
    "utter_testing",
    "utter_who_for",
}


def answer_unclear(dispatcher: CollectingDispatcher, tracker: Tracker, action: str) -> list[EventType]:
    """Answer a message that was not understood. ``action`` is the name of the action that does so."""
    out_of_scope = _turns.intent(tracker) == "out_of_scope"
    unsure = bool(_turns.risk(tracker).get("unsure"))
    if open_now := _rounds.open_question(tracker):
        # Also what sounds like something else: "my cat and a hot drink" is a good answer here.
        return go_on(dispatcher, tracker, *open_now)
    if _turns.risk(tracker).get("level", "none") != "none" or unsure:
        # The detector heard a worry, or something that may be one, that the intents did not.
        return hear_worry(dispatcher, tracker, topic_of(tracker))
    if asked_on := _suicide.ask_on(dispatcher, tracker):
        return asked_on
    if "utter_calm_senses" in _turns.said_last_turn(tracker) and not out_of_scope:
        dispatcher.utter_message(response="utter_calm_done")  # the things they see, typed
        return [SlotSet("asked", "nothing")]
    if whole_postcode(_turns.words(tracker)) and len(_turns.words(tracker).split()) <= POSTCODE_ALONE:
        dispatcher.utter_message(response="utter_my_postcode")
        return [SlotSet("asked", "nothing")]
    if shown := face(_turns.words(tracker)):
        dispatcher.utter_message(response=f"utter_face_{shown}")
        return [SlotSet("asked", "worry")]
    if laughs(_turns.words(tracker)):
        # Also after a disclosure, where it may cover something: nothing is asked, and nobody is told off.
        dispatcher.utter_message(response="utter_laugh")
        return [SlotSet("asked", "worry")]
    if in_other_letters(_turns.words(tracker)):
        dispatcher.utter_message(response="utter_other_language")
        return [SlotSet("asked", "nothing")]
    now = standing(tracker)
    if now.waiting and not out_of_scope:
        # Somebody is on the way: what the program did not follow, they will.
        dispatcher.utter_message(response="utter_safety_added", who=now.who)
        return [SlotSet("asked", "worry")]
    last_turn = _turns.said_last_turn(tracker)
    if _turns.intent(tracker) == "piece" and not last_turn & NO_MORE_PIECES:
        # A bit of a thought: the rest is on its way.
        in_the_middle = last_turn & {"utter_listening", "utter_heard_not_understood"}
        dispatcher.utter_message(response="utter_go_on" if in_the_middle else "utter_listening")
        return [SlotSet("asked", "worry")]
    again = action in _turns.actions_of_last_turn(tracker)
    if again and last_turn & NOT_UNDERSTOOD:
        dispatcher.utter_message(response="utter_fallback_again")
        return [SlotSet("asked", "nothing")]
    asked = {tracker.get_slot("asked"), asked_before(tracker)}  # a place that was named has cleared the slot
    if not out_of_scope and ("worry" in asked or last_turn & OPEN_QUESTIONS):
        return _took_it_in(dispatcher, tracker)
    dispatcher.utter_message(response="utter_out_of_scope" if out_of_scope else "utter_fallback")
    return [SlotSet("asked", "nothing")]


def _took_it_in(dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
    """An answer to an open question deserves more than "I did not get that"."""
    dispatcher.utter_message(response="utter_heard_not_understood")
    if tracker.get_slot("topic") and "utter_heard_not_understood" not in _turns.said_last_turn(tracker):
        ask_gently(dispatcher, tracker)  # they go on about what they were telling
        return [SlotSet("asked", "worry")]
    words, asked = OFFER[_turns.about(tracker)]
    dispatcher.utter_message(response=words)
    return [SlotSet("asked", asked)]
