"""Open Referral UK records, versions 3 and 1: cleaned for keeping, and read as services."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from typing import Any

from bot.directory.model import CHECK_AFTER, Opening, Place, Service
from bot.directory.shapes import SERVICE, STATUSES, BadRecord, text

#: Deepest nesting of one record; the profile's own goes to eight.
MAX_DEPTH = 16

_DAYS = {"MO": 1, "TU": 2, "WE": 3, "TH": 4, "FR": 5, "SA": 6, "SU": 7}
_NATIONS = ("northern ireland", "england", "scotland", "wales")
_NO_CODES: Mapping[str, str] = {}
_CODE = re.compile(r"(?<![A-Z0-9])[EWSN]\d{8}(?![0-9])")
_SELF = re.compile(
    r"self[- ]?refer|refer (yourself|your own)|no referral|drop[- ]?in|just (turn|come|walk)|open to all|"
    r"contact us direct|get in touch|call us|ring us|book (online|a place)",
    re.IGNORECASE,
)
_NOT_SELF = re.compile(
    r"(professional|agency|gp|school|social worker)[- ]?(only )?referrals? only|by referral only|"
    r"referr(al|ed) (only )?(from|by|through) (a |an |your )?(professional|gp|doctor|school|social|health)|"
    r"no self[- ]?referral|cannot (self[- ]?refer|refer yourself)",
    re.IGNORECASE,
)
_STEP_FREE = re.compile(r"step[- ]?free|wheelchair|level access|ramp|lift access|accessible", re.IGNORECASE)
_NOT_STEP_FREE = re.compile(
    r"\b(no|not|without|limited|un)[- ]?(a )?(step[- ]?free|wheelchair|level access|ramp|lift|accessible)|"
    r"\b(steps|stairs) (up |to |at |only)",
    re.IGNORECASE,
)
_ACCESS = ("description", "details", "accessibility")
_ONLINE = re.compile(r"online|virtual|remote|video|zoom|telephone|phone|helpline|web ?chat", re.IGNORECASE)
_FREE = re.compile(r"^\s*(it is |this is |all )?(free|no (charge|cost|fee)|£0(\.00)?\b)", re.IGNORECASE)
_ALWAYS = re.compile(r"24 ?(hours|hrs|/ ?7)|day and night|round the clock", re.IGNORECASE)


def check_depth(value: Any, limit: int = MAX_DEPTH) -> None:
    """Refuse what is nested too deeply, without recursion of our own.

    Raises:
        BadRecord: deeper than ``limit``.
    """
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for item in level
            if isinstance(item, (Mapping, list))
            for inner in (item.values() if isinstance(item, Mapping) else item)
        ]
        if not level:
            return
    raise BadRecord(f"nested deeper than {limit} levels")


def clean(record: Any) -> dict[str, Any]:
    """A record of version 3 or 1 as a version 3 record that satisfies the UK profile.

    Raises:
        BadRecord: it is no object, has no id, name or known status, or a field is of the wrong kind.
    """
    if not isinstance(record, Mapping):
        raise BadRecord("not an object")
    check_depth(record)
    if not record.get("id") or not isinstance(record["id"], (str, int)) or isinstance(record["id"], bool):
        raise BadRecord("no id")
    if not isinstance(record.get("name"), str) or not text(record["name"], "name"):
        raise BadRecord("no name")
    if str(record.get("status")).strip().lower() not in STATUSES:
        raise BadRecord("status is not one of " + ", ".join(STATUSES))
    cleaned = SERVICE(_as_version_3(record), "service")
    if cleaned is None:
        raise BadRecord("no name")
    for name in ("schedules", "service_areas", "languages", "cost_options", "contacts", "funding"):
        for part in cleaned.get(name, ()):
            part.pop("service_id", None)  # the nested form leaves it out
    return cleaned


def _as_version_3(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields that version 1 names otherwise, under the names of version 3."""
    changed = dict(record)
    if "regular_schedules" in record and "schedules" not in record:
        changed["schedules"] = record["regular_schedules"]
    for link in _dicts(record.get("service_taxonomys")):
        term = link.get("taxonomy")
        if isinstance(term, Mapping):
            kept = {**term, "taxonomy": term.get("vocabulary")}
            attribute = {"id": link.get("id"), "taxonomy_term": kept}
            changed["attributes"] = [*_dicts(changed.get("attributes")), attribute]
    eligible = list(_dicts(record.get("eligibilitys")))
    for name, choose in (("minimum_age", min), ("maximum_age", max)):
        ages = [e[name] for e in eligible if isinstance(e.get(name), (int, float))]
        if ages and name not in record:
            changed[name] = choose(ages)
    words = [e["eligibility"] for e in eligible if isinstance(e.get("eligibility"), str)]
    if words and "eligibility_description" not in record:
        changed["eligibility_description"] = "; ".join(words)
    if isinstance(record.get("service_at_locations"), list):
        changed["service_at_locations"] = [_location_3(item) for item in record["service_at_locations"]]
    return changed


def _location_3(item: Any) -> Any:
    if not isinstance(item, Mapping) or not isinstance(item.get("location"), Mapping):
        return item
    location = dict(item["location"])
    if isinstance(location.get("physical_addresses"), list) and "addresses" not in location:
        location["addresses"] = location["physical_addresses"]
    if isinstance(location.get("accessibility_for_disabilities"), list) and "accessibility" not in location:
        location["accessibility"] = [
            {"description": access.get("accessibility"), **access}
            for access in _dicts(location["accessibility_for_disabilities"])
        ]
    schedules = item.get("regular_schedule") or item.get("schedules")
    return {**item, "location": location, **({"schedules": schedules} if schedules else {})}


def service_of(record: Mapping[str, Any], source: str, area_codes: Mapping[str, str] = _NO_CODES) -> Service:
    """A cleaned record as a service. Needs are found later, by :class:`bot.directory.needs.Needs`.

    ``area_codes``: codes of authorities by their names in small letters, for service areas that only say
    ``Hampshire``.
    """
    organization = record.get("organization") or {}
    schedules = [*record.get("schedules", ())]
    places, location_words = [], []
    for link in record.get("service_at_locations", ()):
        schedules += link.get("schedules", ())
        location = link.get("location") or {}
        if location.get("location_type") == "virtual":
            location_words.append("online")
        elif location:
            places.append(_place(location))
    checked_on = _date(record.get("assured_date"))
    check_by = _date(record.get("check_by")) or (checked_on + CHECK_AFTER if checked_on else None)
    how = record.get("application_process", "")
    area_words = " ".join(" ".join(map(str, a.values())) for a in record.get("service_areas", ()))
    area_names = [_plain_area(a.get("name", "")) for a in record.get("service_areas", ())]
    attending = " ".join(s.get("attending_type", "") for s in schedules)
    hours = next((s["description"] for s in schedules if s.get("description")), "")
    return Service(
        id=record["id"],
        name=record["name"],
        organization=organization.get("name", ""),
        description=record.get("description", ""),
        who=record.get("eligibility_description", ""),
        how=how,
        wait=record.get("wait_time", ""),
        cost=_cost(record),
        hours=hours,
        url=record.get("url") or organization.get("website", ""),
        email=record.get("email") or organization.get("email", ""),
        phones=tuple(dict.fromkeys(_phones(record))),
        minimum_age=record.get("minimum_age"),
        maximum_age=record.get("maximum_age"),
        free=_free(record),
        self_referral=_self_referral(record, how),
        remote=bool(location_words) or bool(_ONLINE.search(attending)),
        always_open=bool(record.get("always_open")) or bool(_ALWAYS.search(hours)),
        openings=tuple(opening for s in schedules if (opening := _opening(s))),
        places=tuple(places),
        nations=frozenset(n for name in area_names for n in _nations(name)),
        areas=frozenset(_CODE.findall(area_words)) | {area_codes[n] for n in area_names if n in area_codes},
        languages=frozenset(_languages(record)),
        checked_on=checked_on,
        check_by=check_by,
        source=source,
        demo=bool(record.get("demo")),
        terms=tuple(term["name"] for a in record.get("attributes", ()) if (term := a.get("taxonomy_term"))),
    )


def _place(location: Mapping[str, Any]) -> Place:
    address = next(iter(location.get("addresses", ())), {})
    parts = (address.get(k, "") for k in ("address_1", "address_2", "city", "postal_code"))
    latitude, longitude = location.get("latitude"), location.get("longitude")
    # Outside the United Kingdom it is a slip (zeros, swapped, or another grid), and no distance at all.
    placed = latitude is not None and longitude is not None and 49 < latitude < 61.5 and -9 < longitude < 2.5
    told = (a.get(key, "") for a in location.get("accessibility", ()) for key in _ACCESS)
    access = " ".join(told)
    step_free = None
    if _NOT_STEP_FREE.search(access):
        step_free = False
    elif _STEP_FREE.search(access):
        step_free = True
    return Place(
        name=location.get("name", ""),
        address=", ".join(part for part in parts if part),
        postcode=address.get("postal_code", ""),
        latitude=float(latitude) if placed else None,
        longitude=float(longitude) if placed else None,
        step_free=step_free,
    )


def _opening(schedule: Mapping[str, Any]) -> Opening | None:
    opens, closes = schedule.get("opens_at"), schedule.get("closes_at")
    if not opens or not closes:
        return None
    named = re.findall(r"(-?\d)?(MO|TU|WE|TH|FR|SA|SU)", str(schedule.get("byday", "")).upper())
    starts_on = _date(schedule.get("dtstart")) or _date(schedule.get("valid_from"))
    if not named and starts_on and schedule.get("dtstart"):
        named = [("", list(_DAYS)[starts_on.isoweekday() - 1])]
    if not named:
        return None
    every = int(schedule.get("interval") or 1)
    monthly = schedule.get("freq") == "MONTHLY"
    nths = {int(nth) for nth, _ in named if nth}
    return Opening(
        days=frozenset(_DAYS[name] for _, name in named),
        opens=time.fromisoformat(opens),
        closes=time.fromisoformat(closes),
        nth=nths.pop() if monthly and len(nths) == 1 else 0,
        every=1 if monthly else min(max(every, 1), 52),
        starts_on=starts_on,
        ends_on=_date(schedule.get("valid_to")),
    )


def _cost(record: Mapping[str, Any]) -> str:
    told = record.get("fees") or record.get("fees_description")
    if told:
        return told
    lines = []
    for option in record.get("cost_options", ()):
        amount = option.get("amount")
        money = "" if amount is None else (f"£{amount:.2f}" if amount % 1 else f"£{amount:.0f}")
        parts = (money, option.get("amount_description", ""))
        words = " ".join(part for part in parts if part)
        lines.append(", ".join(part for part in (words, option.get("option", "")) if part))
    return "; ".join(line for line in lines if line)


def _free(record: Mapping[str, Any]) -> bool | None:
    amounts = [o["amount"] for o in record.get("cost_options", ()) if o.get("amount") is not None]
    if amounts:
        return not any(amounts)
    told = record.get("fees") or record.get("fees_description") or ""
    if _FREE.search(told):
        return True
    return False if re.search(r"£\s?[1-9]", told) else None


def _self_referral(record: Mapping[str, Any], how: str) -> bool | None:
    if record.get("self_referral") is not None:
        return bool(record["self_referral"])
    if _NOT_SELF.search(how):
        return False
    return True if _SELF.search(how) else None


def _languages(record: Mapping[str, Any]) -> Iterator[str]:
    for language in record.get("languages", ()):
        for told in (language.get("name"), language.get("code")):
            if told:
                yield told.casefold()


def _phones(record: Mapping[str, Any]) -> Iterator[str]:
    for phone in record.get("phones", ()):
        yield phone["number"]
    for contact in record.get("contacts", ()):
        for phone in contact.get("phones", ()):
            yield phone["number"]


def _plain_area(name: str) -> str:
    """``Hampshire County Council`` as ``hampshire``."""
    return re.sub(r"\s+((county|city|borough|district|metropolitan|london)\s+)*council$", "", name.casefold())


def _nations(name: str) -> list[str]:
    """The nations an area is made of: none for ``South Wales``, two for ``England and Wales``."""
    found = [nation for nation in _NATIONS if nation in name]
    rest = re.sub("|".join((*_NATIONS, r"\band\b", r"[\s,&]")), "", name)
    return [] if rest else [nation.title() for nation in found]


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def _dicts(value: Any) -> Iterable[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()
