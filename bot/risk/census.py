"""From Earshot's categories to the factors that councils count: the one place where they meet.

The codes are the factors identified at the end of assessment in the Department for Education's children in
need census (guide 2025 to 2026, "additional codeset: factors"; checked 2026-11-22). It only suggests;
staff confirm or change the factor. Neglect is a factor of its own and is never merged with abuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.risk.taxonomy import Category

__all__ = ["FACTORS", "SUGGESTED", "suggest"]

#: Every factor's code and what it stands for.
FACTORS: Mapping[str, str] = {
    "1A": "alcohol misuse by the child", "1B": "alcohol misuse by a parent or carer",
    "1C": "alcohol misuse by another person in the household",
    "2A": "drug misuse by the child", "2B": "drug misuse by a parent or carer",
    "2C": "drug misuse by another person in the household",
    "3A": "domestic abuse of the child", "3B": "domestic abuse of a parent or carer",
    "3C": "domestic abuse of another person in the household",
    "4A": "mental health of the child", "4B": "mental health of a parent or carer",
    "4C": "mental health of another person in the household",
    "5A": "learning disability of the child", "5B": "learning disability of a parent or carer",
    "5C": "learning disability of another person in the household",
    "6A": "physical disability or illness of the child",
    "6B": "physical disability or illness of a parent or carer",
    "6C": "physical disability or illness of another person in the household",
    "7A": "young carer",
    "8B": "privately fostered: overseas, with the intent to return",
    "8C": "privately fostered: overseas, with the intent to stay",
    "8D": "privately fostered: from the UK, in educational placements",
    "8E": "privately fostered: from the UK, making own arrangements",
    "8F": "privately fostered: other",
    "9A": "unaccompanied asylum-seeking child",
    "10A": "going missing", "11A": "child sexual exploitation", "12A": "trafficking", "13A": "gangs",
    "14A": "socially unacceptable behaviour", "15A": "self-harm", "16A": "neglect",
    "17A": "emotional abuse",
    "18B": "physical abuse, child on child", "18C": "physical abuse, adult on child",
    "19B": "sexual abuse, child on child", "19C": "sexual abuse, adult on child",
    "20": "other", "21": "no factors identified",
    "22A": "female genital mutilation", "23A": "abuse linked to faith or belief",
    "24A": "child criminal exploitation",
}  # fmt: skip

#: For each category the factors that may fit, the likeliest first.
SUGGESTED: Mapping[Category, tuple[str, ...]] = {
    Category.SUICIDE: ("4A", "15A"),
    Category.SELF_HARM: ("15A",),
    Category.MEDICAL_EMERGENCY: ("20",),
    Category.PHYSICAL_ABUSE: ("18C", "18B"),
    Category.SEXUAL_ABUSE: ("19C", "19B"),
    Category.SEXUAL_EXPLOITATION: ("11A", "19C", "19B"),
    Category.EMOTIONAL_ABUSE: ("17A",),
    Category.NEGLECT: ("16A",),
    Category.DOMESTIC_ABUSE: ("3B", "3A", "3C"),
    Category.CRIMINAL_EXPLOITATION: ("24A", "13A", "12A"),
    Category.HONOUR_BASED_ABUSE: ("22A", "23A", "20"),
    Category.MISSING: ("10A",),
    Category.HARM_TO_OTHERS: ("14A",),
    Category.BULLYING: ("18B", "20"),
    Category.MENTAL_HEALTH: ("4A", "4B"),
    Category.EATING: ("4A",),
    Category.SUBSTANCE_MISUSE: ("1B", "2B", "1A", "2A"),
    Category.YOUNG_CARER: ("7A",),
    Category.BEREAVEMENT: ("20",),
    Category.FAMILY_CONFLICT: ("20",),
    Category.MONEY_HOUSING: ("20",),
    Category.SCHOOL: ("20",),
    Category.RELATIONSHIPS: ("20",),
    Category.IDENTITY: ("20",),
}


def suggest(categories: Iterable[Category]) -> tuple[str, ...]:
    """The codes of the factors that may fit, each once, in the order of the categories."""
    return tuple(dict.fromkeys(code for category in categories for code in SUGGESTED[category]))
