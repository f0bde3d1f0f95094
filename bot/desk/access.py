"""Who may do what at the desk: one allow-list. What is not on it is refused to everyone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.routing import compile_path

from bot.rota import ADMINISTRATOR, DUTY_WORKER, LEAD, SAFE_ADULT

#: Stands for a browser that is not signed in, and for one whose second factor is still to come.
NOBODY, HALF_WAY = "nobody", "half_way"

STAFF = frozenset({DUTY_WORKER, SAFE_ADULT, LEAD, ADMINISTRATOR})
#: Administrators look after people and settings; a child's case is none of their business.
CASEWORK = STAFF - {ADMINISTRATOR}
ANYONE = STAFF | {NOBODY, HALF_WAY}
#: These look after people, places and hours; who sees cases is for leads alone to say.
MANAGERS = frozenset({LEAD, ADMINISTRATOR})
LEADS = frozenset({LEAD})
#: These see every case of the areas they serve; a safe adult sees only what came to them.
SEE_EVERY_CASE = frozenset({DUTY_WORKER, LEAD})
#: The area of a case that is not there: served by nobody who serves but some areas.
ELSEWHERE = "\0"

GET = frozenset({"GET", "HEAD"})
POST = frozenset({"POST"})


@dataclass(frozen=True)
class Rule:
    """One thing that is permitted: a path template below ``/desk``, methods, roles.

    ``before_sign_in`` marks forms that are sent without a session; they are checked by where the
    request came from, as there is no session yet to hold a token.
    """

    path: str
    methods: frozenset[str]
    roles: frozenset[str]
    before_sign_in: bool = False
    max_body: int = 64 * 1024  # bytes; the longest form is a reply of 4,000 characters of up to 12 bytes
    max_fields: int = 40


RULES: tuple[Rule, ...] = (
    Rule("/static/{path:path}", GET, ANYONE),
    Rule("/sign-in", GET, ANYONE),
    Rule("/sign-in", POST, ANYONE, before_sign_in=True),
    Rule("/sign-in/link", POST, ANYONE, before_sign_in=True),
    Rule("/invitation", GET, ANYONE),
    Rule("/invitation", POST, ANYONE, before_sign_in=True),
    Rule("/second-factor", GET, STAFF | {HALF_WAY}),
    Rule("/second-factor", POST, STAFF | {HALF_WAY}),
    Rule("/second-factor/set-up", GET, STAFF | {HALF_WAY}),
    Rule("/second-factor/set-up", POST, STAFF | {HALF_WAY}),
    Rule("/", GET, STAFF),
    Rule("/sign-in/oidc", GET, ANYONE),
    Rule("/sign-in/oidc/back", GET, ANYONE),
    Rule("/account", GET, STAFF),
    Rule("/account/test-alert", POST, CASEWORK),
    Rule("/account/password", POST, STAFF),
    Rule("/account/recovery-codes", POST, STAFF),
    Rule("/account/sign-out-everywhere", POST, STAFF),
    Rule("/sign-out", POST, STAFF | {HALF_WAY}),
    Rule("/people", GET, MANAGERS),
    Rule("/people/preview", GET, MANAGERS),
    Rule("/people/places", POST, MANAGERS),
    Rule("/people/places/close", POST, MANAGERS),
    Rule("/people/areas", POST, MANAGERS),
    Rule("/people/file", GET, LEADS),
    Rule("/people/file", POST, LEADS, max_body=1024 * 1024),
    Rule("/people/file/export", GET, LEADS),
    Rule("/people/new", GET, MANAGERS),
    Rule("/people/new", POST, MANAGERS),
    Rule("/people/{staff_id}", GET, MANAGERS),
    Rule("/people/{staff_id}", POST, MANAGERS),
    Rule("/people/{staff_id}/hours", POST, MANAGERS),
    Rule("/people/{staff_id}/hours/{row:int}/remove", POST, MANAGERS),
    Rule("/people/{staff_id}/leave", POST, MANAGERS),
    Rule("/people/{staff_id}/leave/{row:int}/remove", POST, MANAGERS),
    Rule("/people/{staff_id}/invite", POST, MANAGERS),
    Rule("/people/{staff_id}/sign-out", POST, MANAGERS),
    Rule("/people/{staff_id}/deactivate", POST, MANAGERS),
    Rule("/people/{staff_id}/reactivate", POST, MANAGERS),
    Rule("/people/{staff_id}/test-alert", POST, LEADS),
    Rule("/conduct", GET, LEADS),
    Rule("/conduct/{row:int}/confirm", POST, LEADS),
    Rule("/conduct/{row:int}/lift", POST, LEADS),
    Rule("/statistics", GET, LEADS),
    Rule("/statistics/export.csv", GET, LEADS),
    Rule("/cases/{id:int}/hold", POST, LEADS),
    Rule("/cases/{id:int}/hold/lift", POST, LEADS),
    Rule("/cases/{id:int}/export", POST, LEADS),
    Rule("/practice", GET, STAFF),
    # Its page carries what was done: 8 steps of up to two texts of 1,000 characters of up to 12 bytes.
    Rule("/practice", POST, STAFF, max_body=256 * 1024),
    Rule("/posters", GET, MANAGERS),
    Rule("/posters/file.pdf", GET, MANAGERS),
    Rule("/audit", GET, LEADS),
    Rule("/audit/check", POST, LEADS),
    Rule("/audit/export.csv", GET, LEADS),
    Rule("/audit/export.json", GET, LEADS),
    Rule("/duty", POST, CASEWORK),
    Rule("/queue", GET, CASEWORK),
    Rule("/events", frozenset({"GET"}), CASEWORK),  # a HEAD would wait for the end of an endless stream
    Rule("/cases/{id:int}", GET, CASEWORK),
    Rule("/cases/{id:int}/news", GET, CASEWORK),
    Rule("/cases/{id:int}/accept", POST, CASEWORK),
    Rule("/cases/{id:int}/reply", POST, CASEWORK),
    Rule("/cases/{id:int}/release", POST, CASEWORK),
    Rule("/cases/{id:int}/transfer", POST, CASEWORK),
    Rule("/cases/{id:int}/close", POST, CASEWORK),
    Rule("/cases/{id:int}/level", POST, CASEWORK),
    Rule("/cases/{id:int}/notes", POST, CASEWORK),
    Rule("/cases/{id:int}/opinion", POST, CASEWORK),
    Rule("/cases/{id:int}/opinion/end", POST, CASEWORK),
    Rule("/cases/{id:int}/record", GET, CASEWORK),
    # 15 texts of 4,000 characters of up to 12 bytes; every message and every factor may be ticked.
    Rule("/cases/{id:int}/record", POST, CASEWORK, max_body=1024 * 1024, max_fields=1_000),
    Rule("/cases/{id:int}/record/versions/{row:int}", GET, CASEWORK),
    Rule("/cases/{id:int}/letter", GET, CASEWORK),
    Rule("/cases/{id:int}/letter.pdf", GET, CASEWORK),
    Rule("/cases/{id:int}/letter.json", GET, CASEWORK),
    Rule("/side", GET, CASEWORK),
    Rule("/replies", GET, CASEWORK),
    Rule("/replies", POST, LEADS),
    Rule("/cases/{id:int}/conduct", POST, CASEWORK),
    Rule("/cases/{id:int}/conduct/{row:int}/lift", POST, CASEWORK),
    Rule("/cases/{id:int}/typing", POST, CASEWORK),
    Rule("/cases/{id:int}/left", POST, CASEWORK),
)


def rule_for(path: str, method: str) -> Rule | None:
    """The rule that speaks about this request, if one does."""
    for pattern, rule in _patterns():
        if method in rule.methods and pattern.match(path):
            return rule
    return None


def permitted(path: str, method: str, role: str) -> bool:
    """Whether the allow-list lets this role do this; an unknown role may do nothing."""
    rule = rule_for(path, method)
    return rule is not None and role in rule.roles


def may_see_case(
    role: str,
    staff_id: str,
    routed_to: Sequence[str],
    accepted_by: str | None,
    *,
    serves: Sequence[str] = (),
    area: str | None = None,
) -> bool:
    """Whether this person may read a case.

    Duty workers and leads may read those of the areas they serve (``serves``; empty means all) and those
    whose area nobody knows; everyone who has casework, what came to them.
    """
    if role not in CASEWORK:
        return False
    if staff_id in routed_to or staff_id == accepted_by:
        return True
    return role in SEE_EVERY_CASE and (area is None or not serves or area in serves)


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], Rule], ...]:
    return tuple((compile_path(rule.path)[0], rule) for rule in RULES)
