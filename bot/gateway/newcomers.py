"""Who may begin a conversation while somebody begins them by the thousand.

As long as all is quiet everybody simply begins. Over :data:`bot.gateway.limits.RATES` from one address, or
over ``EARSHOT_NEW_CHATS`` from everywhere, a new conversation costs a little work: the chat page's script
finds a number whose hash begins with so many zero bits (hashcash). Whoever has no script, or no time for
riddles, is held a few seconds instead. Nobody is asked for anything who has a conversation already.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from bot.bootstrap import Core
from bot.channels.problems import Problem
from bot.gateway.limits import Limits

#: Zero bits a solution's hash begins with: 32,768 hashes on average, a second or two in a phone's browser.
BITS = 15
#: Seconds for which a challenge may be answered.
GOOD_FOR = 300
#: The answer of whoever cannot work: to be held instead.
WAIT = "wait"
_ANSWER = re.compile(r"(?P<stem>(?P<until>\d{10})\.[0-9a-f]{32})\.(?P<seal>[0-9a-f]{64}):\d{1,12}")


@dataclass(frozen=True)
class Admission:
    """Who asks, and what they brought."""

    caller: str
    proof: str | None


class Newcomers:
    """Admits new conversations."""

    def __init__(self, core: Core, limits: Limits) -> None:
        self._core = core
        self._limits = limits
        self._mode, threshold = core.settings.proof_of_work, core.settings.new_chats
        self._storage = MemoryStorage()  # the limiter holds it by a weak reference only
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._all = RateLimitItemPerMinute(threshold)
        self._spent: dict[str, int] = {}  # seal of an answered challenge -> until when it counts

    def admission(self, connection: HTTPConnection, proof: str | None) -> Admission:
        """What :meth:`admit` needs to know of a request."""
        return Admission(self._limits.caller(connection), proof)

    async def admit(self, asked: Admission) -> None:
        """Return when this one may begin.

        Raises:
            Problem: a challenge has to be answered first, or too many are being held.
        """
        if not self._needed(asked.caller) or (asked.proof and self._solved(asked.proof)):
            return
        if asked.proof == WAIT:
            await self._limits.hold(asked.caller)
            return
        raise Problem(428, "problem_proof", extra={"challenge": self._challenge(), "bits": BITS})

    def _needed(self, caller: str) -> bool:
        if self._mode != "attack":
            return self._mode == "always"
        one = self._limits.allow("begins", caller)
        return not (self._limiter.hit(self._all, "begins") and one)

    def _challenge(self) -> str:
        stem = f"{self._now() + GOOD_FOR}.{secrets.token_hex(16)}"
        return f"{stem}.{self._seal(stem)}"

    def _solved(self, proof: str) -> bool:
        """Whether this is a challenge of ours, answered in time, and for the first time."""
        now = self._now()
        self._spent = {seal: until for seal, until in self._spent.items() if until >= now}
        found = _ANSWER.fullmatch(proof) if proof.isascii() else None
        if found is None or int(found["until"]) < now or found["seal"] in self._spent:
            return False
        if not hmac.compare_digest(self._seal(found["stem"]), found["seal"]):
            return False
        if int.from_bytes(hashlib.sha256(proof.encode()).digest(), "big") >> (256 - BITS):
            return False
        self._spent[found["seal"]] = int(found["until"])
        return True

    def _seal(self, stem: str) -> str:
        return self._core.store.cipher.find_hash("proof", stem)

    def _now(self) -> int:
        return int(self._core.now().timestamp())
