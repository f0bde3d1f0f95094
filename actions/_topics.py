"""Which words belong to which worry: the endings of ``utter_hear_…`` in data/responses/worry.yml."""

from __future__ import annotations

import re

from rasa_sdk import Tracker

from actions import _turns

#: A risk category (bot/risk/taxonomy.py) and the topic whose words fit it.
TOPIC_OF_CATEGORY = {
    "suicide": "suicide",
    "self_harm": "self_harm",
    "medical_emergency": "low_mood",
    "physical_abuse": "hurt_at_home",
    "sexual_abuse": "sexual",
    "sexual_exploitation": "online",
    "emotional_abuse": "put_down",
    "neglect": "neglect",
    "domestic_abuse": "parents_fighting",
    "criminal_exploitation": "gangs",
    "honour_based_abuse": "forced_marriage_fgm",
    "missing": "running_away",
    "harm_to_others": "harm_others",
    "bullying": "bullying",
    "mental_health": "low_mood",
    "eating": "eating",
    "substance_misuse": "own_drugs_alcohol",
    "young_carer": "young_carer",
    "bereavement": "bereavement",
    "family_conflict": "parents_fighting",
    "money_housing": "money_housing",
    "school": "school",
    "relationships": "relationships",
    "identity": "identity",
}
#: The topic of a worry that has no category: its words fit any.
ANY_WORRY = "worry"
TOPICS = frozenset(TOPIC_OF_CATEGORY.values()) | {"parent_drinks_drugs", ANY_WORRY}

#: Worries that may hide danger even when the words were mild: the person is asked whether they are safe.
GRAVE = frozenset(
    {
        "self_harm",
        "hurt_at_home",
        "sexual",
        "online",
        "gangs",
        "forced_marriage_fgm",
        "running_away",
        "harm_others",
    }
)


#: Topics with one true thing that helps (``utter_know_…``), said once when they go on telling.
WORTH_KNOWING = frozenset(
    {
        "self_harm",
        "eating",
        "online",
        "sexual",
        "running_away",
        "forced_marriage_fgm",
        "gangs",
        "hurt_at_home",
        "parents_fighting",
        "parent_drinks_drugs",
        "own_drugs_alcohol",
        "young_carer",
        "bereavement",
        "money_housing",
    }
)

#: Words that say whose drinking or drugs it is, when the message is not about the child's own.
CARERS = frozenset(
    "mum mums mam mams mummy dad dads daddy parent parents stepdad stepmum nan gran grandad uncle aunt "
    "auntie carer husband wife partner boyfriend girlfriend".split()
)


def topics_of(tracker: Tracker) -> list[str]:
    """The topics of the last message by what the detector heard in it, the most serious first."""
    categories = _turns.risk(tracker).get("categories") or ()
    topics = [TOPIC_OF_CATEGORY[c] for c in categories if c in TOPIC_OF_CATEGORY]
    if CARERS & set(_words_of(tracker)):
        topics = ["parent_drinks_drugs" if topic == "own_drugs_alcohol" else topic for topic in topics]
    return topics


def topic_of(tracker: Tracker) -> str | None:
    """The topic of the last message; None if the detector heard nothing in it."""
    return next(iter(topics_of(tracker)), None)


def _words_of(tracker: Tracker) -> list[str]:
    return re.findall(r"[a-z]+", str(tracker.latest_message.get("text") or "").replace("'", "").lower())
