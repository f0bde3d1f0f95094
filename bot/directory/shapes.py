"""What an Open Referral UK record may hold, and how each field is cleaned.

Source: the UK profile of HSDS 3.0 (Open Referral UK, CC BY-SA 4.0), whose schemas the cleaned records
satisfy. Beside it we keep HSDS's own fields that the profile drops and feeds carry (waits, eligibility,
how to apply), since they are what parents ask for.
"""

from __future__ import annotations

import html
import math
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timezone
from typing import Any
from urllib.parse import urlsplit

#: Longest text of one field and most entries of one list; real feeds stay far below.
MAX_TEXT, MAX_ITEMS = 20_000, 500
STATUSES = ("active", "inactive", "defunct", "temporarily closed")

_TAGS = re.compile(r"<(?:[a-zA-Z/!][^<>]{0,2000})>")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_EMAIL = re.compile(r"[^@\s<>\"]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


class BadRecord(Exception):
    """A record cannot be taken; the message says which field and why, and quotes nothing long."""


Cleaner = Callable[[Any, str], Any]


def text(value: Any, where: str) -> str | None:
    """Plain text: numbers as text, no mark-up, no control characters."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        value = str(value)
    if not isinstance(value, str):
        raise BadRecord(f"{where} should be text")
    if len(value) > MAX_TEXT:
        raise BadRecord(f"{where} is longer than {MAX_TEXT} characters")
    value = _CONTROLS.sub("", html.unescape(_TAGS.sub(" ", value)))
    value = re.sub(r"[ \t\xa0]+", " ", value)
    return value.strip() or None


def number(value: Any, where: str) -> float | int | None:
    """A finite number, also when it was written as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not (-1e9 < value < 1e9) or math.isnan(value):
        return None
    return int(value) if float(value).is_integer() else float(value)


def identifier(value: Any, where: str) -> str | None:
    """A UUID as it is; any other id becomes the UUID that always stands for it."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > 200:
        return None
    value = _CONTROLS.sub("", value).strip()
    if not value:
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"earshot:{value}"))


def link(value: Any, where: str) -> str | None:
    """A web address; anything that is not http or https is dropped (``javascript:`` among it)."""
    found = text(value, where)
    if not found or len(found) > 2000 or re.search(r"[\s<>\"\\^`{|}]", found):
        return None
    if "://" not in found and re.match(r"^[\w-]+(\.[\w-]+)+(/|$)", found):
        found = f"https://{found}"
    try:
        parts = urlsplit(found)
    except ValueError:
        return None
    return found if parts.scheme in ("http", "https") and parts.netloc else None


def email(value: Any, where: str) -> str | None:
    """An e-mail address."""
    found = text(value, where)
    return found if found and _EMAIL.fullmatch(found) else None


def day(value: Any, where: str) -> str | None:
    """A date, ``2026-11-22``."""
    found = text(value, where)
    if not found:
        return None
    for read in (found[:10], "-".join(reversed(re.split(r"[/.]", found[:10])))):
        try:
            return date.fromisoformat(read).isoformat()
        except ValueError:
            continue
    return None


def moment(value: Any, where: str) -> str | None:
    """A date and time with its zone."""
    found = text(value, where)
    if not found:
        return None
    try:
        read = datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", found).replace("Z", "+00:00"))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).isoformat()


def clock(value: Any, where: str) -> str | None:
    """A time of day, ``17:30``."""
    found = text(value, where)
    match = re.match(r"^(\d{1,2}):(\d{2})", found or "")
    if not match:
        return None
    hour, minute = int(match[1]), int(match[2])
    if (hour, minute) == (24, 0):
        return "00:00"
    return time(hour, minute).isoformat("minutes") if hour < 24 and minute < 60 else None


def flag(value: Any, where: str) -> bool | None:
    """Yes or no."""
    if isinstance(value, str):
        return {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def one_of(*allowed: str) -> Cleaner:
    """One of a few words, whatever its capitals; else nothing."""

    def clean(value: Any, where: str) -> str | None:
        found = text(value, where) or ""
        return next((word for word in allowed if word.lower() == found.lower()), None)

    return clean


class Entity:
    """An object with known fields; others are dropped."""

    def __init__(self, needs: Mapping[str, Any], /, **fields: Cleaner | Entity | Many) -> None:
        #: Fields that must be there, and what they get when they are not; None: the object is dropped.
        self._needs = needs
        self._fields = fields

    def __call__(self, value: Any, where: str) -> dict[str, Any] | None:
        """The cleaned object.

        Raises:
            BadRecord: not an object, or a field of a kind that cannot be read.
        """
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise BadRecord(f"{where} should be an object")
        out: dict[str, Any] = {}
        for name, clean in self._fields.items():
            if name in value and (found := clean(value[name], f"{where}.{name}")) is not None:
                out[name] = found
        if "id" in self._fields and "id" not in out:
            # Feeds leave out ids of parts. The same part gets the same id at every import.
            out["id"] = identifier(f"{where}:{sorted(out.items(), key=str)}"[:200], where)
        for name, default in self._needs.items():
            if name not in out:
                if default is None:
                    return None
                out[name] = default
        return out


class Many:
    """A list of entities."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity

    def __call__(self, value: Any, where: str) -> list[dict[str, Any]] | None:
        """The cleaned list, without what had to be dropped.

        Raises:
            BadRecord: not a list, or far too long.
        """
        if value is None:
            return None
        if not isinstance(value, list):
            raise BadRecord(f"{where} should be a list")
        if len(value) > MAX_ITEMS:
            raise BadRecord(f"{where} has more than {MAX_ITEMS} entries")
        found = (self._entity(item, f"{where}[{index}]") for index, item in enumerate(value))
        return [item for item in found if item is not None] or None


TERM = Entity(
    {"name": None, "description": ""},
    id=identifier,
    name=text,
    description=text,
    parent_id=identifier,
    taxonomy=text,
    taxonomy_id=identifier,
    term_uri=link,
    term=text,
)
ATTRIBUTE = Entity(
    {}, id=identifier, link_id=identifier, taxonomy_term_id=identifier, link_type=text, taxonomy_term=TERM
)
_ATTRIBUTES = Many(ATTRIBUTE)
PHONE = Entity({"number": None}, id=identifier, number=text, extension=text, type=text, description=text)
ADDRESS = Entity(
    {
        "address_1": "",
        "city": "",
        "state_province": "",
        "postal_code": "",
        "country": "GB",
        "address_type": "physical",
    },
    id=identifier,
    location_id=identifier,
    attention=text,
    address_1=text,
    address_2=text,
    city=text,
    region=text,
    state_province=text,
    postal_code=text,
    country=text,
    address_type=one_of("physical", "postal", "virtual"),
    attributes=_ATTRIBUTES,
)
ACCESSIBILITY = Entity(
    {}, id=identifier, location_id=identifier, description=text, details=text, url=link, accessibility=text
)
LOCATION = Entity(
    {"location_type": "physical"},
    id=identifier,
    location_type=one_of("physical", "postal", "virtual"),
    name=text,
    description=text,
    latitude=number,
    longitude=number,
    external_identifier=text,
    external_identifier_type=text,
    addresses=Many(ADDRESS),
    accessibility=Many(ACCESSIBILITY),
    attributes=_ATTRIBUTES,
)
ORGANIZATION = Entity(
    {"name": None, "description": ""},
    id=identifier,
    name=text,
    description=text,
    email=email,
    website=link,
    logo=link,
    uri=link,
    parent_organization_id=identifier,
    organization_identifiers=Many(
        Entity(
            {"identifier_type": None, "identifier": None},
            id=identifier,
            organization_id=identifier,
            identifier_scheme=text,
            identifier_type=text,
            identifier=text,
        )
    ),
    attributes=_ATTRIBUTES,
)
SCHEDULE = Entity(
    {},
    id=identifier,
    service_id=identifier,
    service_at_location_id=identifier,
    valid_from=day,
    valid_to=day,
    dtstart=day,
    freq=one_of("WEEKLY", "MONTHLY"),
    interval=number,
    byday=text,
    bymonthday=text,
    description=text,
    opens_at=clock,
    closes_at=clock,
    schedule_link=link,
    attending_type=text,
    notes=text,
)
AT_LOCATION = Entity(
    {},
    id=identifier,
    service_id=identifier,
    location_id=identifier,
    location=LOCATION,
    schedules=Many(SCHEDULE),
)
SERVICE = Entity(
    {"name": None, "status": None},
    id=identifier,
    organization_id=identifier,
    name=text,
    alternate_name=text,
    description=text,
    url=link,
    email=email,
    status=one_of(*STATUSES),
    fees=text,
    accreditations=text,
    minimum_age=number,
    maximum_age=number,
    assured_date=day,
    assurer_email=email,
    alert=text,
    last_modified=moment,
    schedules=Many(SCHEDULE),
    service_areas=Many(
        Entity(
            {},
            id=identifier,
            service_id=identifier,
            name=text,
            extent=text,
            extent_type=text,
            uri=link,
            service_area=text,
        )
    ),
    service_at_locations=Many(AT_LOCATION),
    languages=Many(
        Entity({}, id=identifier, service_id=identifier, phone_id=identifier, name=text, code=text, note=text)
    ),
    organization=ORGANIZATION,
    funding=Many(Entity({}, id=identifier, service_id=identifier, source=text)),
    cost_options=Many(
        Entity(
            {},
            id=identifier,
            service_id=identifier,
            valid_from=day,
            valid_to=day,
            option=text,
            amount=number,
            amount_description=text,
        )
    ),
    contacts=Many(
        Entity(
            {}, id=identifier, service_id=identifier, name=text, title=text, email=email, phones=Many(PHONE)
        )
    ),
    phones=Many(PHONE),
    attributes=_ATTRIBUTES,
    # HSDS fields that the UK profile drops.
    wait_time=text,
    eligibility_description=text,
    application_process=text,
    fees_description=text,
    interpretation_services=text,
    # Ours: whether people can refer themselves, when to check again, and whether it is invented.
    self_referral=flag,
    check_by=day,
    always_open=flag,
    demo=flag,
)
