"""Searches the directory: services that fit, ranked by fit and then by distance, in memory.

5,000 services are a few megabytes; a search looks at those filed for what was asked and filters them. What
cannot be had is widened one step at a time, and every step is named, so that whoever shows the result can
say so (:class:`Notice`).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from zoneinfo import ZoneInfo

from rapidfuzz.distance import OSA

from bot.directory.model import Service
from bot.directory.needs import ANY_NEED, MEETS, MENTIONS, Needs, tokens

UK = ZoneInfo("Europe/London")
MILE = 1609.344  # metres
#: How far "near" is, and the steps in which it is widened when nothing is there, in miles.
REACH = (10, 25, 50)
#: A service that comes to you by phone counts as this far away when ranking by distance, in miles.
_BY_PHONE = 5.0
_EARTH = 6_371_000.0  # metres


class Open(str, Enum):
    """When a service should be open."""

    NOW = "now"
    EVENING = "evening"
    WEEKEND = "weekend"


class Notice(str, Enum):
    """What the search had to do to find something, or could not do. Shown to the person, in words."""

    NO_PLACE = "no_place"  # nobody said where: nothing is ranked by distance
    WIDER = "wider"  # nothing within reach; looked further
    NOTHING_NEAR = "nothing_near"  # nothing with an address even far out; only lines and online
    NOT_OPEN = "not_open"  # nothing open then; shown are others
    NOT_FREE = "not_free"
    NOT_ONLINE = "not_online"
    NOT_SELF_REFERRAL = "not_self_referral"
    NOT_LANGUAGE = "not_language"
    NOT_STEP_FREE = "not_step_free"
    GENERAL = "general"  # nothing for this need; shown is help for families with anything
    NOTHING = "nothing"


@dataclass(frozen=True)
class Query:
    """What somebody looks for. Everything may be left out."""

    needs: tuple[str, ...] = ()
    text: str = ""
    #: WGS 84 degrees of where they are, rounded is enough.
    position: tuple[float, float] | None = field(default=None, repr=False)
    #: Codes of their authority and district; their nation.
    codes: frozenset[str] = frozenset()
    nation: str = ""
    age: float | None = None
    open: Open | None = None
    online: bool = False
    free: bool = False
    self_referral: bool = False
    step_free: bool = False
    language: str = ""

    @property
    def placed(self) -> bool:
        """Whether anything is known of where they are."""
        return self.position is not None or bool(self.codes) or bool(self.nation)


@dataclass(frozen=True)
class Hit:
    """One service found. ``distance`` in metres, None when it has no place or nobody said where they are."""

    service: Service
    fit: int
    distance: float | None
    #: When it was looked for, UK local time.
    at: datetime

    @property
    def open_now(self) -> bool | None:
        """Whether it is open; None when its hours are not known."""
        return self.service.is_open(self.at)

    @property
    def miles(self) -> float | None:
        """The distance in miles, one decimal, straight as the crow flies."""
        return None if self.distance is None else round(self.distance / MILE, 1)


@dataclass(frozen=True)
class Found:
    """The answer to a query. ``miles``: how far had to be looked, for :attr:`Notice.WIDER`."""

    hits: tuple[Hit, ...]
    notices: tuple[Notice, ...] = ()
    needs: tuple[str, ...] = ()
    miles: int = REACH[0]

    def first(self, count: int) -> tuple[Hit, ...]:
        """The best few. When none of them is open now and some other that fits as well is, it is the last:
        whoever looks at night needs somebody tonight."""
        best = self.hits[:count]
        if best and not any(hit.open_now for hit in best):
            fit = min(hit.fit for hit in best)
            late = next((hit for hit in self.hits[count:] if hit.open_now and hit.fit >= fit - 1), None)
            if late:
                return (*best[:-1], late)
        return best


class Directory:
    """Services, indexed. Made once for a state of the directory; safe to share between threads."""

    def __init__(self, services: Iterable[Service], needs: Needs) -> None:
        self.needs = needs
        self._services: list[Service] = []
        self._by_id: dict[str, Service] = {}
        self._by_need: dict[str, dict[int, int]] = {need.id: {} for need in needs}
        self._by_word: dict[str, dict[int, int]] = {}
        for service in services:
            if service.id in self._by_id:
                continue  # two feeds carry it: the first one counts
            if not service.needs:
                met = needs.met_by(service.name, service.terms, f"{service.description} {service.who}")
                service = replace(service, needs=met)
            self._add(service)
        self._words = sorted(self._by_word)

    def __len__(self) -> int:
        return len(self._services)

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services)

    def get(self, service_id: str) -> Service | None:
        """A service by its id."""
        return self._by_id.get(service_id)

    def search(self, query: Query, now: datetime) -> Found:
        """Every service that fits, best first. ``now`` aware."""
        local = now.astimezone(UK)
        query, fits = self._fitting(query)
        allowed = {i: fit for i, fit in fits.items() if self._serves(self._services[i], query)}
        notices = [] if query.placed else [Notice.NO_PLACE]
        if not allowed and query.needs not in ((), (ANY_NEED,)):
            notices.append(Notice.GENERAL)
            query = replace(query, needs=(ANY_NEED,), text="")
            fits = self._by_need[ANY_NEED]
            allowed = {i: fit for i, fit in fits.items() if self._serves(self._services[i], query)}
        kept, dropped = self._filtered(allowed, query, local)
        notices += dropped
        hits, reach = self._within_reach(kept, query, local)
        if reach:
            notices.append(reach[0])
        if not hits:
            notices.append(Notice.NOTHING)
        return Found(tuple(hits), tuple(notices), query.needs, reach[1] if reach else REACH[0])

    def find_text(self, text: str) -> dict[int, int]:
        """Services by words of their names, organisations and descriptions; slips of spelling allowed."""
        scores: dict[int, float] = {}
        words = [word for word in dict.fromkeys(tokens(text)) if len(word) > 2][:12]
        for word in words:
            found = self._by_word.get(word) or self._alike(word)
            if not found or len(found) * 3 > max(len(self._services), 30):
                continue  # a word that a third of all services use tells nothing
            rare = math.log(1 + len(self._services) / len(found))
            for i, weight in found.items():
                scores[i] = scores.get(i, 0.0) + rare * weight
        top = max(scores.values(), default=0.0)
        return {
            i: MEETS if score >= 0.6 * top else MENTIONS for i, score in scores.items() if score >= 0.3 * top
        }

    # Inside ---------------------------------------------------------------------------------------

    def _add(self, service: Service) -> None:
        number = len(self._services)
        self._services.append(service)
        self._by_id[service.id] = service
        for need, strength in service.needs.items():
            self._by_need.setdefault(need, {})[number] = strength
        for weight, text in ((1, service.description[:1000]), (2, f"{service.name} {service.organization}")):
            for word in tokens(text):
                self._by_word.setdefault(word, {})[number] = weight

    def _alike(self, word: str) -> Mapping[int, int] | None:
        """The services of the indexed word nearest in spelling, if there is one near enough."""
        if len(word) < 5:
            return None
        allowed = 1 if len(word) < 8 else 2
        best: tuple[int, int, str] | None = None
        for other in self._words_from(word[0]):
            distance = OSA.distance(word, other, score_cutoff=allowed)
            if distance <= allowed:
                candidate = (distance, -len(self._by_word[other]), other)
                best = candidate if best is None or candidate < best else best
        return self._by_word[best[2]] if best else None

    def _words_from(self, letter: str) -> Sequence[str]:
        return self._words[bisect_left(self._words, letter) : bisect_left(self._words, chr(ord(letter) + 1))]

    def _fitting(self, query: Query) -> tuple[Query, dict[int, int]]:
        """The query with the needs its text tells of, and the services that fit it with their fit."""
        needs = tuple(need for need in query.needs if need in self.needs)
        if query.text:
            needs = needs or tuple(self.needs.find(query.text)[:2])
        fits: dict[int, int] = {}
        for place, need in enumerate(needs):
            for i, strength in self._by_need.get(need, {}).items():
                # What was named first counts more than what was named besides.
                fits[i] = fits.get(i, 0) + 2 * strength - (1 if place else 0)
        for i, strength in self.find_text(query.text).items() if query.text else ():
            # Once the need is understood its words only rank: "help" and "home" would bring in anything.
            if i in fits or not needs:
                fits[i] = fits.get(i, 0) + strength
        if not needs and not query.text:
            fits = {i: 1 for i in range(len(self._services))}
        return replace(query, needs=needs), fits

    def _serves(self, service: Service, query: Query) -> bool:
        """Whether they may use it at all: their age, nation and authority. Never relaxed."""
        if query.age is not None:
            if service.minimum_age is not None and query.age < service.minimum_age:
                return False
            if service.maximum_age is not None and query.age >= service.maximum_age + 1:
                return False
        if service.nations and query.nation and query.nation not in service.nations:
            return False
        return not (service.areas and query.codes and not service.areas & query.codes)

    def _filtered(
        self, allowed: Mapping[int, int], query: Query, local: datetime
    ) -> tuple[dict[int, int], list[Notice]]:
        """What passes the filters; filters that leave nothing are dropped, the least pressing first."""
        filters = list(_filters(query, local))
        dropped: list[Notice] = []
        while True:
            kept = {
                i: fit
                for i, fit in allowed.items()
                if all(passes(self._services[i]) for _, passes in filters)
            }
            if kept or not filters:
                return kept, dropped
            # One filter alone may be what nothing passes; it goes before those that could be kept.
            alone = [f for f in filters if not any(f[1](self._services[i]) for i in allowed)]
            out = (alone or filters)[0]
            filters.remove(out)
            dropped.append(out[0])

    def _within_reach(
        self, kept: Mapping[int, int], query: Query, local: datetime
    ) -> tuple[list[Hit], tuple[Notice, int] | None]:
        hits = [self._hit(i, fit, query, local) for i, fit in kept.items()]
        if query.position is None:
            hits.sort(key=lambda hit: (_bound(hit.service) - hit.fit, hit.service.name))
            return hits, None
        # How far to look depends on what is made for the need, not on what happens to mention it nearby.
        good = max((hit.fit for hit in hits), default=0) / 2
        nearest = min((h.distance for h in hits if h.distance is not None and h.fit > good), default=math.inf)
        miles = next((miles for miles in REACH if nearest <= miles * MILE), None)
        shown = []
        for hit in hits:
            if hit.distance is not None and miles is not None and hit.distance <= miles * MILE:
                shown.append(hit)
            elif hit.service.remote or not hit.service.places:
                shown.append(replace(hit, distance=None))
        shown.sort(key=_rank)
        if miles is None:
            return shown, (Notice.NOTHING_NEAR, REACH[-1]) if shown else None
        return shown, (Notice.WIDER, miles) if miles > REACH[0] else None

    def _hit(self, number: int, fit: int, query: Query, local: datetime) -> Hit:
        service = self._services[number]
        away = None
        if query.position:
            known = [
                distance(query.position, (place.latitude, place.longitude))
                for place in service.places
                if place.latitude is not None and place.longitude is not None
            ]
            away = min(known, default=None)
        return Hit(service, fit, away, local)


def _bound(service: Service) -> int:
    """What it costs in fit to be there for some places only: somebody who did not say may live elsewhere."""
    return 3 if service.nations or service.areas else int(bool(service.places))


def _rank(hit: Hit) -> tuple[int, float, str]:
    distance = _BY_PHONE * MILE if hit.distance is None else hit.distance
    return -hit.fit, distance, hit.service.name


def _filters(query: Query, local: datetime) -> Iterator[tuple[Notice, Callable[[Service], bool]]]:
    """The filters that were asked for, the least pressing first."""
    if query.free:
        yield Notice.NOT_FREE, lambda s: s.free is True
    if query.self_referral:
        yield Notice.NOT_SELF_REFERRAL, lambda s: s.self_referral is True
    if query.open is Open.NOW:
        yield Notice.NOT_OPEN, lambda s: s.is_open(local) is True
    elif query.open is Open.EVENING:
        yield Notice.NOT_OPEN, lambda s: s.evenings
    elif query.open is Open.WEEKEND:
        yield Notice.NOT_OPEN, lambda s: s.weekends
    if query.online:
        yield Notice.NOT_ONLINE, lambda s: s.remote
    if query.language:
        wanted = query.language.casefold()
        yield Notice.NOT_LANGUAGE, lambda s: any(_same_language(wanted, told) for told in s.languages)
    if query.step_free:
        yield Notice.NOT_STEP_FREE, lambda s: s.step_free is True or (s.remote and not s.places)


def _same_language(wanted: str, told: str) -> bool:
    return wanted == told or (len(wanted) > 3 and bool(re.search(rf"\b{re.escape(wanted)}", told)))


def distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres on the ground by the haversine formula; within a country it errs by less than 0.5 %."""
    first, second = math.radians(a[0]), math.radians(b[0])
    half = math.sin((second - first) / 2) ** 2
    half += math.cos(first) * math.cos(second) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * _EARTH * math.asin(math.sqrt(half))
