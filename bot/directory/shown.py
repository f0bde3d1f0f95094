"""A service as a person is shown it, on a card, a page or a leaflet: always the five things, or "not told".

Who it is for, how to get it, the wait, the cost, and when it was last checked. The words around them are in
``data/responses/find_help.yml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bot.content import Content
from bot.directory.index import Found, Hit, Notice
from bot.directory.model import Service
from bot.rota import Hours

#: Longest text of a card's line; the page of the service has the rest.
_LINE = 220


@dataclass(frozen=True)
class Shown:
    """The facts of a service in words; none of them is empty but ``about``, ``contact`` and ``url``."""

    id: str
    name: str
    organization: str
    about: str
    who: str
    how: str
    wait: str
    cost: str
    hours: str
    where: str
    checked: str
    contact: str
    url: str
    overdue: bool
    demo: bool


def show(service: Service, content: Content, today: date, miles: float | None = None) -> Shown:
    """The facts of a service in words. ``miles``: how far away it is, when that is known."""
    unknown = content.say("utter_find_not_told")
    name = content.say("utter_find_demo", name=service.name) if service.demo else service.name
    how = service.how
    contacts = [c for c in (*service.phones, service.email) if c and c not in how]
    if not how and contacts:
        how, contacts = ", ".join(contacts), []
    who = service.who or _ages(service, content)
    cost = service.cost or (content.say("utter_find_free") if service.free else "")
    return Shown(
        id=service.id,
        name=name,
        organization="" if service.organization == service.name else service.organization,
        about=service.description,
        who=who or unknown,
        how=how or unknown,
        wait=service.wait or unknown,
        cost=cost or unknown,
        hours=_hours(service, content) or unknown,
        where=_where(service, content, miles) or unknown,
        checked=_checked(service, content, today),
        contact=", ".join(contacts),
        url=service.url,
        overdue=service.overdue(today),
        demo=service.demo,
    )


def show_hit(hit: Hit, content: Content) -> Shown:
    """The facts of a service that was found."""
    return show(hit.service, content, hit.at.date(), hit.miles)


def lines(shown: Shown, content: Content) -> list[str]:
    """The facts as labelled lines, for a card or plain text."""
    site = shown.url.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")
    reach = ", ".join(part for part in (shown.contact, site if site not in shown.how else "") if part)
    how = f"{shown.how} ({reach})" if reach else shown.how
    labelled = {
        "who": shown.who,
        "how": how,
        "wait": shown.wait,
        "cost": shown.cost,
        "hours": shown.hours,
        "where": shown.where,
    }
    told = [content.say(f"utter_find_line_{name}", words=_short(words)) for name, words in labelled.items()]
    return [*told, shown.checked]


def notices(found: Found, content: Content) -> list[str]:
    """What has to be said of a search before its results: what was widened or dropped."""
    return [
        content.say(f"utter_find_{notice.value}", miles=str(found.miles))
        for notice in found.notices
        if notice is not Notice.NO_PLACE
    ]


def _ages(service: Service, content: Content) -> str:
    low, high = service.minimum_age, service.maximum_age
    if low is None and high is None:
        return ""
    if high is None or high >= 99:
        return content.say("utter_find_age_from", low=_number(low or 0))
    return content.say("utter_find_age_between", low=_number(low or 0), high=_number(high))


def _hours(service: Service, content: Content) -> str:
    if service.hours:
        return service.hours
    if service.always_open:
        return content.say("utter_find_always")
    every_week = [o for o in service.openings if not o.nth and o.every == 1]
    return content.hours_words([Hours(tuple(sorted(o.days)), o.opens, o.closes) for o in every_week])


def _where(service: Service, content: Content, miles: float | None) -> str:
    place = next(iter(service.places), None)
    address = ", ".join(part for part in (place.name, place.address) if part) if place else ""
    if miles is not None:
        far = content.say("utter_find_miles", miles=f"{miles:g}")
        return f"{far}: {address}" if address else far
    return address or (content.say("utter_find_remote") if service.remote else "")


def _checked(service: Service, content: Content, today: date) -> str:
    if service.checked_on is None:
        return content.say("utter_find_never_checked")
    day = f"{service.checked_on.day} {service.checked_on:%B %Y}"
    return content.say("utter_find_overdue" if service.overdue(today) else "utter_find_checked", date=day)


def _number(value: float) -> str:
    return f"{value:g}"


def _short(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= _LINE else words[: _LINE - 1].rsplit(" ", 1)[0] + "…"
