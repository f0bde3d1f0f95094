"""The words: every sentence a person reads from the bot, read from ``data/responses/``.

The files are Rasa's own response format, so Rasa and the gateway say the same words. Each variation
carries ``reviewed_by`` and ``reviewed_on``: empty means a draft that no safeguarding lead has signed.
"""

from __future__ import annotations

import calendar
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any

from bot.data_files import DataFileError, read_yaml
from bot.rota import UK, Hours

#: What the gateway, the handover and the clock say by themselves, without Rasa: these must exist.
SAID_BY_THE_HOUSE = (
    "utter_opening_hello",
    "utter_opening_private",
    "utter_opening_doors",
    "utter_telegram_start",
    "utter_safety_fallback_high",
    "utter_safety_fallback_immediate",
    "utter_safety_added",
    "utter_safety_high_nobody_on_duty",
    "utter_machine_down",
    "utter_too_long",
    "utter_empty",
    "utter_unreadable_media",
    "utter_slow_down",
    "utter_back",
    "utter_back_none",
    "utter_back_code",
    "utter_code_right",
    "utter_code_nearly",
    "utter_status_waiting",
    "utter_status_accepted",
    "utter_status_closed",
    "utter_status_closed_plain",
    "utter_worker_joined",
    "utter_worker_left",
    "utter_outcome",
    "utter_waiting_longer",
    "utter_not_reached",
    "utter_outcome_concern",
    "utter_check_in_offer",
    "utter_check_in_agreed",
    "utter_check_in_declined",
    "utter_check_in_stopped",
    "utter_check_in_fine",
    "utter_check_in_week",
    "utter_check_in_month",
    "utter_conduct_warned",
    "utter_conduct_slowed",
    "utter_conduct_paused",
    "utter_conduct_lifted",
    "utter_nobody_yet",
    "utter_deleted",
    "utter_delete_not_open_case",
    "utter_delete_not_held",
    "utter_who_duty_line",
    "utter_time_today",
    "utter_time_unknown",
    "utter_time_tomorrow",
    "utter_time_day",
    "utter_hours",
    "utter_hours_every_day",
    "utter_hours_day_range",
    "utter_emergency_line",
)


class ContentError(Exception):
    """The words are missing or malformed; the message names file, entry and remedy."""


@dataclass(frozen=True)
class Variation:
    """One way of saying a response."""

    text: str
    buttons: tuple[Mapping[str, str], ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)
    reviewed_by: str = ""
    reviewed_on: str = ""


class Content:
    """All responses, loaded and checked."""

    def __init__(self, responses: Mapping[str, tuple[Variation, ...]], files: Mapping[str, str]) -> None:
        self._responses = dict(responses)
        self._files = dict(files)

    @classmethod
    def load(cls, data_dir: Path) -> Content:
        """Read ``data_dir/responses/*.yml``.

        Raises:
            ContentError: a file that cannot be read, a response without text, or a missing response
                that the house says by itself.
        """
        responses: dict[str, tuple[Variation, ...]] = {}
        files: dict[str, str] = {}
        for path in sorted((data_dir / "responses").glob("*.yml")):
            try:
                document = read_yaml(path) or {}
            except DataFileError as error:
                raise ContentError(str(error)) from None
            for name, variations in (document.get("responses") or {}).items():
                if name in responses:
                    raise ContentError(f"{path.name}: {name} is already in {files[name]}.yml; keep one.")
                responses[name] = tuple(_variation(path.name, name, item) for item in variations or ())
                if not responses[name]:
                    raise ContentError(f"{path.name}: {name} has no text; write one or remove it.")
                files[name] = path.stem
        missing = [name for name in SAID_BY_THE_HOUSE if name not in responses]
        if missing:
            raise ContentError(
                f"data/responses: missing {', '.join(missing)}; the house must say them itself."
            )
        return cls(responses, files)

    def __contains__(self, name: str) -> bool:
        return name in self._responses

    def names(self) -> Iterator[str]:
        """Every response name."""
        return iter(self._responses)

    def say(self, name: str, /, *, variant: int = 0, **values: str) -> str:
        """The words of a response with its variables filled. ``variant`` picks among its variations.

        Raises:
            ContentError: no such response, or a variable without a value.
        """
        variations = self.variations(name)
        text = variations[variant % len(variations)].text
        try:
            return text.format_map(values)
        except KeyError as error:
            raise ContentError(f"{name} needs a value for {error.args[0]}") from None

    def choices(self, name: str) -> tuple[Mapping[str, str], ...]:
        """The buttons of a response: ``title`` and ``payload`` each."""
        return self.variations(name)[0].buttons

    def variations(self, name: str) -> tuple[Variation, ...]:
        """Every way of saying a response.

        Raises:
            ContentError: no such response.
        """
        try:
            return self._responses[name]
        except KeyError:
            raise ContentError(f"data/responses has no {name}") from None

    def drafts(self) -> list[tuple[str, str]]:
        """``(file, response)`` of every response that has a variation without a signature."""
        return [
            (self._files[name], name)
            for name, variations in self._responses.items()
            if any(not v.reviewed_by or not v.reviewed_on for v in variations)
        ]

    def clock_words(self, at: datetime, now: datetime) -> str:
        """A time as a person says it: ``5:40pm``, ``8am tomorrow``, ``8am on Monday``. UK local time."""
        local, today = at.astimezone(UK), now.astimezone(UK).date()
        days = (local.date() - today).days
        name = {0: "utter_time_today", 1: "utter_time_tomorrow"}.get(days, "utter_time_day")
        return self.say(name, clock=_clock(local), day=local.strftime("%A"))

    def hours_words(self, hours: Sequence[Hours]) -> str:
        """Weekly hours as a person reads them: ``Mon to Fri, 8:30am to 4:30pm; Sat, 10am to 1pm``."""
        return "; ".join(
            self.say("utter_hours", days=self._days_words(h.days), start=_clock(h.starts), end=_clock(h.ends))
            for h in hours
        )

    def _days_words(self, days: Sequence[int]) -> str:
        names = [calendar.day_abbr[day - 1] for day in sorted(days)]
        if len(days) == 7:
            return self.say("utter_hours_every_day")
        if len(days) > 2 and max(days) - min(days) == len(days) - 1:
            return self.say("utter_hours_day_range", first=names[0], last=names[-1])
        return ", ".join(names)


def _clock(at: datetime | time) -> str:
    minutes = f":{at.minute:02d}" if at.minute else ""
    return f"{at.hour % 12 or 12}{minutes}{'am' if at.hour < 12 else 'pm'}"


def _variation(file: str, name: str, item: Any) -> Variation:
    if not isinstance(item, Mapping) or not (item.get("text") or item.get("custom")):
        raise ContentError(f"{file}: {name} has an entry without text; give it 'text:'.")
    text = str(item.get("text", ""))
    try:
        list(string.Formatter().parse(text))
    except ValueError:
        raise ContentError(f"{file}: {name} has a lone brace; write {{{{ or }}}} for a plain one.") from None
    metadata = item.get("metadata") or {}
    return Variation(
        text=text,
        buttons=tuple(item.get("buttons") or ()),
        custom=item.get("custom") or {},
        reviewed_by=str(metadata.get("reviewed_by") or ""),
        reviewed_on=str(metadata.get("reviewed_on") or ""),
    )
