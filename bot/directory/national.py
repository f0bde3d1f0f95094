"""``data/directory``: services of the whole country or a nation, and a demonstration's invented ones.

Entries are written for people to edit; here they become Open Referral UK records like those of a feed.
A helpline that sentences name stands in ``data/responses/numbers.yml`` and only there: its entry says
``number: <id>`` and takes name, number, source and dates from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from bot.data_files import DataFileError, read_yaml
from bot.directory.needs import MADE_FOR, MEETS, DirectoryDataError, Needs
from bot.directory.records import clean
from bot.directory.shapes import BadRecord, identifier
from bot.settings import ROOT

_FROM_NUMBERS = ("name", "phones", "source", "checked_on", "check_by")
_FIELDS = frozenset(
    "id number name organization about who how wait cost free self_referral ages needs nations areas remote "
    "always hours open phones url email languages places source checked_on check_by".split()
)


def entries(
    needs: Needs, data: Path = ROOT / "data", *, demo: bool
) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
    """Every entry as a cleaned record, with the needs it meets; the first it names is what it is for.

    Args:
        needs: what entries may say they meet.
        data: the project's data folder.
        demo: with the demonstration's invented services.

    Raises:
        DirectoryDataError: a file or an entry is wrong; names it and says what to do.
    """
    numbers = {entry["id"]: entry for entry in _read(data / "responses" / "numbers.yml")["services"]}
    for name in ("national.yml", *(("demo.yml",) if demo else ())):
        for entry in _read(data / "directory" / name)["services"]:
            record = _record(name, entry, numbers, needs)
            first, *others = entry["needs"]
            yield record, {first: MADE_FOR, **dict.fromkeys(others, MEETS)}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = read_yaml(path)
    except DataFileError as error:
        raise DirectoryDataError(str(error)) from None
    if not isinstance(document, Mapping) or not isinstance(document.get("services"), list):
        raise DirectoryDataError(f"{path.name}: has no list 'services:'.")
    return document


def _record(file: str, entry: Any, numbers: Mapping[str, Any], needs: Needs) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise DirectoryDataError(f"{file}: an entry is no list of fields: {str(entry)[:60]}")
    named = entry.get("number") or entry.get("id")
    where = f"{file}: {named or str(entry)[:60]}"
    if unknown := entry.keys() - _FIELDS:
        raise DirectoryDataError(f"{where} has unknown fields: {', '.join(sorted(unknown))}.")
    wrong = [need for need in entry.get("needs") or [None] if need not in needs]
    if wrong:
        raise DirectoryDataError(f"{where} needs 'needs:', each of them an id of needs.yml (not {wrong[0]}).")
    full = dict(entry)
    if "number" in entry:
        helpline = numbers.get(entry["number"])
        if helpline is None:
            raise DirectoryDataError(f"{where} is not in data/responses/numbers.yml.")
        if twins := [name for name in _FROM_NUMBERS if name in entry]:
            raise DirectoryDataError(f"{where}: {', '.join(twins)} stand in numbers.yml; remove them here.")
        full.update({name: helpline[name] for name in ("name", "source", "checked_on", "check_by")})
        full.update(id=entry["number"], phones=helpline["numbers"][:1])
        full.setdefault("about", helpline["about"])
        full.setdefault("how", helpline["how"])
        full.setdefault("hours", helpline["hours"])
    missing = [name for name in ("id", "name", "source", "checked_on", "check_by") if not full.get(name)]
    if missing:
        raise DirectoryDataError(f"{where} lacks {', '.join(missing)}.")
    try:
        return clean(_as_record(full, demo=file.startswith("demo")))
    except (BadRecord, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DirectoryDataError(f"{where}: {error}") from None


def _as_record(entry: Mapping[str, Any], *, demo: bool) -> dict[str, Any]:
    kind = "demo" if demo else "national"
    youngest, oldest = entry.get("ages") or (None, None)
    organization = entry.get("organization") or entry["name"]
    return {
        "id": identifier(f"{kind}:{entry['id']}", "id"),
        "name": entry["name"],
        "status": "active",
        "description": entry.get("about"),
        "url": entry.get("url"),
        "email": entry.get("email"),
        "fees": entry.get("cost"),
        "cost_options": [{"amount": 0}] if entry.get("free") else None,
        "minimum_age": youngest,
        "maximum_age": oldest,
        "assured_date": date.fromisoformat(str(entry["checked_on"])).isoformat(),
        "check_by": date.fromisoformat(str(entry["check_by"])).isoformat(),
        "eligibility_description": entry.get("who"),
        "application_process": entry.get("how"),
        "wait_time": entry.get("wait"),
        "self_referral": entry.get("self_referral"),
        "always_open": entry.get("always"),
        "demo": demo,
        "organization": {"id": identifier(f"{kind}:{organization}", "id"), "name": organization},
        "phones": [{"number": number} for number in entry.get("phones") or ()],
        "languages": [{"name": name} for name in entry.get("languages") or ()],
        "service_areas": [{"name": name} for name in entry.get("nations") or entry.get("areas") or ()],
        "schedules": list(_schedules(entry)),
        "service_at_locations": [{"location": _location(place)} for place in entry.get("places") or ()],
    }


def _schedules(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    attending = "telephone or online" if entry.get("remote") else None
    common = {"description": entry.get("hours"), "attending_type": attending}
    rules = entry.get("open") or ()
    for rule in rules:
        times = {"opens_at": rule["from"], "closes_at": rule["to"], "byday": ",".join(rule["days"])}
        yield {**common, "freq": "WEEKLY", **times}
    if not rules and any(common.values()):
        yield common


def _location(place: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "location_type": "physical",
        "name": place.get("name"),
        "latitude": place.get("latitude"),
        "longitude": place.get("longitude"),
        "addresses": [
            {
                "address_1": place.get("address"),
                "city": place.get("town"),
                "postal_code": place.get("postcode"),
            }
        ],
        "accessibility": [{"description": place["access"]}] if place.get("access") else None,
    }
