"""Who is looking at which case right now, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Seconds after which somebody who was not heard of is taken to have left. Pages report every 20 s.
KEPT = 50.0


class Presence:
    """Open case pages. All methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, dict[str, float]] = {}
        self._lock = threading.Lock()

    def seen(self, case_id: int, staff_id: str) -> bool:
        """Somebody looks at a case. Returns whether they were not there a moment ago."""
        with self._lock:
            here = self._here(case_id)
            new = staff_id not in here
            here[staff_id] = self._clock()
            self._seen[case_id] = here
            return new

    def left(self, case_id: int, staff_id: str) -> None:
        """Somebody closed the page."""
        with self._lock:
            here = self._here(case_id)
            here.pop(staff_id, None)
            if here:
                self._seen[case_id] = here
            else:
                self._seen.pop(case_id, None)

    def others(self, case_id: int, staff_id: str) -> list[str]:
        """Who else looks at the case, by id."""
        with self._lock:
            return sorted(one for one in self._here(case_id) if one != staff_id)

    def looking(self) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """Every case that somebody looks at, and who, by id."""
        with self._lock:
            here = ((case_id, tuple(sorted(self._here(case_id)))) for case_id in sorted(self._seen))
            return tuple((case_id, who) for case_id, who in here if who)

    def _here(self, case_id: int) -> dict[str, float]:
        oldest = self._clock() - KEPT
        return {who: at for who, at in self._seen.get(case_id, {}).items() if at > oldest}
