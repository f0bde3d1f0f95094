"""Who may do what at the desk: one allow-list. What is not on it is refused to everyone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.routing import compile_path

from bot.rota import ADMINISTRATOR, DUTY_WORKER, LEAD, SAFE_ADULT

#: Stands for a browser that is not signed in.
NOBODY = "nobody"

STAFF = frozenset({DUTY_WORKER, SAFE_ADULT, LEAD, ADMINISTRATOR})
#: Administrators look after people and settings; a child's case is none of their business.
CASEWORK = STAFF - {ADMINISTRATOR}
ANYONE = STAFF | {NOBODY}
#: These see every case; a safe adult sees only what came to them.
SEE_EVERY_CASE = frozenset({DUTY_WORKER, LEAD})

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


RULES: tuple[Rule, ...] = (
    Rule("/static/{path:path}", GET, ANYONE),
    Rule("/sign-in", GET, ANYONE),
    Rule("/sign-in", POST, ANYONE, before_sign_in=True),
    Rule("/sign-in/link", POST, ANYONE, before_sign_in=True),
    Rule("/", GET, STAFF),
    Rule("/sign-out", POST, STAFF),
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


def may_see_case(role: str, staff_id: str, routed_to: Sequence[str], accepted_by: str | None) -> bool:
    """Whether this person may read a case: duty workers and leads all, safe adults what came to them."""
    if role in SEE_EVERY_CASE:
        return True
    return role == SAFE_ADULT and (staff_id in routed_to or staff_id == accepted_by)


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], Rule], ...]:
    return tuple((compile_path(rule.path)[0], rule) for rule in RULES)
