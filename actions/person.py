"""Reaching a person: one now, or a safe adult chosen by place and by name."""

from __future__ import annotations

import json

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import _turns
from actions._forms import leave_own_words
from actions._unclear import answer_unclear
from actions.consent import ask_consent
from bot import conversation, handover, rota
from bot.bootstrap import core
from bot.names import find_name
from bot.store.uow import UnitOfWork

#: So many places fit on a phone; with more, the area is asked first.
PLACES_AT_ONCE = 8
#: Stands before the name of an area where a place is meant by its area.
AREA = "area:"
#: What the buttons beside the cards send instead of a place's or an adult's id.
ELSEWHERE, SOMEONE_ELSE = "elsewhere", "someone_else"


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
        return [*leave_own_words(tracker), SlotSet("asked", "nothing")]


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
        events = [*leave_own_words(tracker), SlotSet("asked", "nothing")]
        if _pressed(tracker, "place") == ELSEWHERE:
            dispatcher.utter_message(response="utter_not_at_my_school")
            return [*events, SlotSet("place", None)]
        with core().uow() as uow:
            places = rota.places(uow)
            meant = _meant_place(tracker, places)
            if meant is None and not _was_asked_for_a_place(tracker):
                # An address, say: nobody had asked where they know adults from.
                return answer_unclear(dispatcher, tracker, self.name())
            if meant is None or meant.startswith(AREA):
                in_area = [place for place in places if f"{AREA}{place.area}" == meant]
                _offer_places(dispatcher, in_area or places, asked_again=meant is None)
                return [*events, SlotSet("place", None)]
            conversation.note_choice(uow, tracker.sender_id, place_id=meant)
            _offer_adults(dispatcher, uow, meant)
            uow.commit()
        return [*events, SlotSet("place", meant)]


class ActionChooseSafeAdult(Action):
    """Notes the adult who was pressed or named and shows what would be sent; else shows the places."""

    def name(self) -> str:
        return "action_choose_safe_adult"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict) -> list[EventType]:
        left = leave_own_words(tracker)
        if _pressed(tracker, "safe_adult") == SOMEONE_ELSE:
            dispatcher.utter_message(response="utter_someone_else")
            return [*left, SlotSet("asked", "nothing"), SlotSet("safe_adult", None)]
        with core().uow() as uow:
            now = core().now()
            adults = {adult.id: adult for adult in rota.safe_adults(uow, None, now)}
            meant = _meant(tracker, "safe_adult", {key: adult.name for key, adult in adults.items()})
            adult = adults.get(meant or "")
            if adult is None:
                return [*left, *self._places(dispatcher, tracker, uow)]
            conversation.note_choice(uow, tracker.sender_id, safe_adult_id=adult.id)
            standing = handover.status(uow, tracker.sender_id, now)
            asked_too = handover.ask_too(uow, tracker.sender_id, adult.id, now)
            uow.commit()
        chosen = SlotSet("safe_adult", adult.id)
        if standing.state == handover.WAITING:
            words = "utter_safe_adult_asked_too" if asked_too else "utter_safe_adult_away"
            dispatcher.utter_message(response=words, adult=adult.name, who=standing.who)
            return [*left, chosen, SlotSet("asked", "nothing")]
        dispatcher.utter_message(response="utter_safe_adult_chosen", adult=adult.name, role=adult.role)
        return [*left, chosen, SlotSet("asked", ask_consent(dispatcher, tracker, adult.id))]

    def _places(self, dispatcher: CollectingDispatcher, tracker: Tracker, uow: UnitOfWork) -> list[EventType]:
        places = rota.places(uow)
        events = [SlotSet("asked", "nothing"), SlotSet("safe_adult", None)]
        place = None if _turns.pressed(tracker) else _meant_place(tracker, places)
        if place and not place.startswith(AREA):  # "can i tell someone at oakfield"
            conversation.note_choice(uow, tracker.sender_id, place_id=place)
            _offer_adults(dispatcher, uow, place)
            uow.commit()
            return [*events, SlotSet("place", place)]
        _offer_places(dispatcher, places)
        return events


def names_an_adult(tracker: Tracker) -> bool:
    """Whether a safe adult was named, or, where places had been shown, one of those."""
    with core().store.read() as uow:
        names = {adult.id: adult.name for adult in rota.safe_adults(uow, None, core().now())}
        places = rota.places(uow)
    if find_name(str(tracker.latest_message.get("text") or ""), names) is not None:
        return True
    return _was_asked_for_a_place(tracker) and _meant_place(tracker, places) is not None


def _was_asked_for_a_place(tracker: Tracker) -> bool:
    offers = {"action_offer_places", "action_offer_safe_adults", "action_choose_safe_adult"}
    return _turns.pressed(tracker) or bool(offers & set(_turns.actions_of_last_turn(tracker)))


def _pressed(tracker: Tracker, entity: str) -> str | None:
    return next(tracker.get_latest_entity_values(entity), None) if _turns.pressed(tracker) else None


def _meant(tracker: Tracker, entity: str, names: dict[str, str]) -> str | None:
    """The id that was pressed, or whose name was typed; none when two would fit."""
    if (pressed := _pressed(tracker, entity)) is not None:
        return pressed if pressed in names else None
    return find_name(str(tracker.latest_message.get("text") or ""), names)


def _meant_place(tracker: Tracker, places: list[rota.Place]) -> str | None:
    """The place or the area that was pressed or typed, however it was spelt."""
    names = {place.id: place.name for place in places}
    areas = {f"{AREA}{place.area}": place.area for place in places}
    if found := _meant(tracker, "place", {**areas, **names}):
        return found
    text = str(tracker.latest_message.get("text") or "")
    return None if _turns.pressed(tracker) else find_name(text, {**areas, **names}, misspelt=True)


def _offer_places(
    dispatcher: CollectingDispatcher, places: list[rota.Place], *, asked_again: bool = False
) -> None:
    if not places:
        dispatcher.utter_message(response="utter_no_safe_adults")
        return
    offered = {place.id: place.name for place in places}
    areas = sorted({place.area for place in places})
    if len(places) > PLACES_AT_ONCE and len(areas) > 1:
        offered = {f"{AREA}{area}": area.replace("_", " ").title() for area in areas}
    buttons = [
        {"title": name, "payload": f"/choose_place{json.dumps({'place': key})}"}
        for key, name in offered.items()
    ]
    words = "utter_offer_places_again" if asked_again else "utter_offer_places"
    dispatcher.utter_message(response=words, buttons=buttons)
    dispatcher.utter_message(response="utter_offer_places_other")


def _offer_adults(dispatcher: CollectingDispatcher, uow: UnitOfWork, place_id: str) -> None:
    now = core().now()
    adults = rota.safe_adults(uow, place_id, now)
    if not adults:
        dispatcher.utter_message(response="utter_no_safe_adults")
        return
    dispatcher.utter_message(response="utter_offer_safe_adults")
    everyone = uow.rota()
    for adult in adults:
        back = everyone.person(adult.id).next_start(now)
        here = "utter_adult_here" if adult.on_duty else "utter_adult_back" if back else "utter_adult_away"
        dispatcher.utter_message(
            response="utter_safe_adult_card",
            adult=adult.name,
            role=adult.role,
            here=uow.content.say(here, back=uow.content.clock_words(back, now) if back else ""),
            trained_for=", ".join(adult.trained_for),
            hours=adult.hours,
            answers_by=", ".join(adult.answers_by),
            payload=f"/choose_safe_adult{json.dumps({'safe_adult': adult.id})}",
        )
    dispatcher.utter_message(response="utter_safe_adults_other")
