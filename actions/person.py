"""Reaching a person: one now, or a safe adult chosen by place and by name."""

from __future__ import annotations

import json

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._unclear import answer_unclear
from actions.consent import ask_consent
from bot import conversation, handover, rota
from bot.bootstrap import core
from bot.names import find_name


class ActionOpenPerson(Action):
    """They asked for a person: that is the consent. The handover opens at once."""

    def name(self) -> str:
        return "action_open_person"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().uow() as uow:
            opened = handover.open_handover(uow, tracker.sender_id, kind=handover.MESSAGE, now=core().now())
            uow.commit()
        if opened.on_duty:
            words = "utter_person_coming" if opened.created else "utter_person_already"
        else:
            words = "utter_person_off_duty_adult" if _turns.adult_speaks(tracker) else "utter_person_off_duty"
        dispatcher.utter_message(response=words, who=opened.who, by_when=opened.by_when)
        return [SlotSet("asked", "nothing")]


class ActionOfferPlaces(Action):
    """Shows the places that have safe adults."""

    def name(self) -> str:
        return "action_offer_places"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().store.read() as uow:
            _offer_places(dispatcher, rota.places(uow))
        return [SlotSet("asked", "nothing")]


class ActionOfferSafeAdults(Action):
    """Shows the safe adults of the place that was pressed or typed; the places again if it is unknown."""

    def name(self) -> str:
        return "action_offer_safe_adults"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().uow() as uow:
            places = rota.places(uow)
            meant = _meant(tracker, "place", {place.id: place.name for place in places})
            if meant is None and not _was_asked_for_a_place(tracker):
                # An address, say: nobody had asked where they know adults from.
                return answer_unclear(dispatcher, tracker, self.name())
            if meant is None:
                _offer_places(dispatcher, places)
                return [SlotSet("asked", "nothing")]
            conversation.note_choice(uow, tracker.sender_id, place_id=meant)
            _offer_adults(dispatcher, rota.safe_adults(uow, meant, core().now()))
            uow.commit()
        return [SlotSet("asked", "nothing"), SlotSet("place", meant)]


class ActionChooseSafeAdult(Action):
    """Notes the adult who was pressed or named and shows what would be sent; else shows the places."""

    def name(self) -> str:
        return "action_choose_safe_adult"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        with core().uow() as uow:
            adults = {adult.id: adult for adult in rota.safe_adults(uow, None, core().now())}
            meant = _meant(tracker, "safe_adult", {key: adult.name for key, adult in adults.items()})
            adult = adults.get(meant or "")
            if adult is None:
                _offer_places(dispatcher, rota.places(uow))
                return [SlotSet("asked", "nothing"), SlotSet("safe_adult", None)]
            conversation.note_choice(uow, tracker.sender_id, safe_adult_id=adult.id)
            uow.commit()
        dispatcher.utter_message(response="utter_safe_adult_chosen", adult=adult.name, role=adult.role)
        return [SlotSet("safe_adult", adult.id), SlotSet("asked", ask_consent(dispatcher, tracker, adult.id))]


def names_an_adult(tracker: Tracker) -> bool:
    """Whether a safe adult's name was typed."""
    with core().store.read() as uow:
        names = {adult.id: adult.name for adult in rota.safe_adults(uow, None, core().now())}
    return find_name(str(tracker.latest_message.get("text") or ""), names) is not None


def _was_asked_for_a_place(tracker: Tracker) -> bool:
    offers = {"action_offer_places", "action_offer_safe_adults", "action_choose_safe_adult"}
    return _turns.pressed(tracker) or bool(offers & set(_turns.actions_of_last_turn(tracker)))


def _meant(tracker: Tracker, entity: str, names: dict[str, str]) -> str | None:
    """The id that was pressed, or whose name was typed; none when two would fit."""
    pressed = next(tracker.get_latest_entity_values(entity), None)
    if pressed is not None:
        return pressed if pressed in names else None
    return find_name(str(tracker.latest_message.get("text") or ""), names)


def _offer_places(dispatcher: CollectingDispatcher, places: list[rota.Place]) -> None:
    if not places:
        dispatcher.utter_message(response="utter_no_safe_adults")
        return
    buttons = [
        {"title": place.name, "payload": f"/choose_place{json.dumps({'place': place.id})}"}
        for place in places
    ]
    dispatcher.utter_message(response="utter_offer_places", buttons=buttons)
    dispatcher.utter_message(response="utter_offer_places_other")


def _offer_adults(dispatcher: CollectingDispatcher, adults: list[rota.SafeAdult]) -> None:
    if not adults:
        dispatcher.utter_message(response="utter_no_safe_adults")
        return
    dispatcher.utter_message(response="utter_offer_safe_adults")
    for adult in adults:
        dispatcher.utter_message(
            response="utter_safe_adult_card",
            adult=adult.name,
            role=adult.role,
            trained_for=", ".join(adult.trained_for),
            hours=adult.hours,
            answers_by=", ".join(adult.answers_by),
            payload=f"/choose_safe_adult{json.dumps({'safe_adult': adult.id})}",
        )
    dispatcher.utter_message(response="utter_safe_adults_other")
