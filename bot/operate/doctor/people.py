"""Checks of the people: somebody is there, can sign in safely, and hears an alert."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select

from bot.alerts.addresses import is_address, is_notify
from bot.bootstrap import Core
from bot.operate.doctor.finding import Finding, counted
from bot.rota import ADMINISTRATOR, LEAD, UK, Rota
from bot.store.models import Alert

#: How far ahead the rota is walked, and in what steps.
AHEAD, STEP = timedelta(hours=24), timedelta(minutes=15)
#: Days in which a failed alert counts.
LATELY = timedelta(days=7)
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}\.[^@\s.]{2,63}")
#: Where the people of a demonstration have their mail (RFC 2606).
_INVENTED = re.compile(r"@(.+\.)?example(\.(org|com|net))?$")


def duty(house: Core) -> Iterator[Finding]:
    """The duty line of every area is staffed at some time of the next day; its gaps are named."""
    with house.store.read() as uow:
        rota = uow.rota()
    now = house.now()
    for area in [one.id for one in rota.areas] or [None]:
        where = f"in {area}" if area else "anywhere"
        gaps = unstaffed(rota, now, area)
        if gaps == [(now, now + AHEAD)]:
            yield Finding(
                f"No duty worker is on shift {where} in the next 24 hours.",
                "Cases wait, or go to others. Put somebody into the rota: /desk/people, earshot rota load.",
            )
        elif gaps:
            told = ", ".join(
                f"{begin.astimezone(UK):%a %H:%M} to {end.astimezone(UK):%a %H:%M}" for begin, end in gaps
            )
            yield Finding(
                f"No duty worker is on shift {where} from {told} (UK time).",
                "The chat says when somebody is back; the leads are asked meanwhile. Is that meant?",
                False,
            )


def unstaffed(rota: Rota, now: datetime, area: str | None) -> list[tuple[datetime, datetime]]:
    """From when to when the duty line of an area has nobody, within a day from ``now``."""
    gaps: list[tuple[datetime, datetime]] = []
    at = now
    while at < now + AHEAD:
        if not rota.duty_line(at, area):
            begins = gaps.pop()[0] if gaps and gaps[-1][1] == at else at
            gaps.append((begins, at + STEP))
        at += STEP
    return gaps


def leads(house: Core) -> Iterator[Finding]:
    """There is a lead, who is asked when nobody else answers, and each has a second factor."""
    with house.store.read() as uow:
        known = [person for person in uow.staff() if person.role == LEAD]
        without = sum(person.totp_secret is None for person in known)
    if not known:
        yield Finding("There is no lead: nobody is asked last.", "Give somebody the role of a lead.")
    if without:
        yield Finding(
            f"{counted(without, 'lead has', 'leads have')} no second factor.",
            "Each sets it up at /desk/account. Leads can change roles and read the audit log.",
            house.settings.mode == "production",
        )


def mail(house: Core) -> Iterator[Finding]:
    """Everybody can be invited by mail and sign in by it."""
    with house.store.read() as uow:
        addresses = [person.email or "" for person in uow.staff()]
    if not addresses:
        yield Finding(
            "Nobody works here yet.", "earshot rota load FILE; data/rota.example.yml shows the form."
        )
    if wrong := sum(not _MAIL.fullmatch(one) for one in addresses):
        yield Finding(
            f"{counted(wrong, 'person has', 'people have')} no mail address that works: they cannot sign in.",
            "Correct it at /desk/people.",
        )
    if invented := sum(bool(_INVENTED.search(one)) for one in addresses):
        yield Finding(
            f"{counted(invented, 'person is', 'people are')} of the demonstration: nobody reads their mail.",
            "Take them out at /desk/people.",
            house.settings.mode == "production",
        )


def alert_addresses(house: Core) -> Iterator[Finding]:
    """Everybody who may be asked has an address that alerts can be sent to."""
    with house.store.read() as uow:
        asked = [list(p.alert_urls or ()) for p in uow.staff() if p.role != ADMINISTRATOR]
    every = [one for addresses in asked for one in addresses]
    if unusable := sum(not is_address(one) for one in every):
        yield Finding(
            f"{counted(unusable, 'alert address is', 'alert addresses are')} of no known form.",
            "Correct them at /desk/people and send a trial from there.",
        )
    if any(map(is_notify, every)) and not house.settings.notify_api_key.get_secret_value():
        yield Finding("Alerts are to go by GOV.UK Notify, and it has no key.", "Set EARSHOT_NOTIFY_API_KEY.")
    if nowhere := sum(not addresses for addresses in asked):
        yield Finding(
            f"{counted(nowhere, 'person has', 'people have')} no alert address and must watch the desk.",
            "Add one at /desk/people and send a trial from there.",
            house.settings.mode == "production",
        )


def failed_alerts(house: Core) -> Iterator[Finding]:
    """Alerts reached somebody lately."""
    since = house.now() - LATELY
    with house.store.read() as uow:
        failed = uow.session.execute(select(Alert.took).where(Alert.failed_at >= since)).scalars().all()
    if failed:
        kinds = Counter(
            kind for took in failed for kind, ok in (took or {"nowhere": False}).items() if not ok
        )
        by = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items())) or "unknown"
        yield Finding(
            f"{counted(len(failed), 'alert', 'alerts')} of the last 7 days reached nobody (by way: {by}).",
            "Send a trial to each address from /desk/people; is the mail server reachable from here?",
        )
