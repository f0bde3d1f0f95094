"""Read by each Python process of a house under test: it can be held at a step, and its clock can be set.

A process that comes to a step whose file ``hold-STEP`` exists writes ``at-STEP`` and waits until the file is
gone. So a test kills it exactly there. The file ``clock`` holds by how many seconds its clock is wrong.
"""

import datetime
import functools
import importlib.abc
import importlib.util
import os
import pathlib
import sys
import threading
import time

FOLDER = pathlib.Path(os.environ["CHAOS_FOLDER"])
#: module -> (class, method, step, whether it is held before the method or after it)
STEPS = {
    "bot.conversation.turn": (
        ("Turns", "begin", "stored", "before"),
        ("Turns", "end", "answered", "after"),
    ),
    "bot.risk.component": (("RiskGuard", "process", "asked", "before"),),
    "actions.open_handover": (("ActionOpenHandover", "run", "opened", "after"),),
}


def _held(step):
    hold = FOLDER / f"hold-{step}"
    if hold.exists():
        (FOLDER / f"at-{step}").touch()
        while hold.exists():
            time.sleep(0.01)


def _with_hold(method, step, when):
    @functools.wraps(method)
    def held(*args, **values):
        if when == "before":
            _held(step)
        result = method(*args, **values)
        if when == "after":
            _held(step)
        return result

    return held


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the usual finders find a module, and puts the holds in once it is loaded."""

    def __init__(self):
        self._looking = set()

    def find_spec(self, name, path=None, target=None):
        if name not in STEPS or name in self._looking:
            return None
        self._looking.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._looking.discard(name)
        load = spec.loader.exec_module

        def load_with_holds(module):
            load(module)
            for owner, method, step, when in STEPS[name]:
                kind = getattr(module, owner)
                setattr(kind, method, _with_hold(getattr(kind, method), step, when))

        spec.loader.exec_module = load_with_holds
        return spec


def _keep_clock():
    wrong, travel = 0.0, None
    while True:
        try:
            wanted = float((FOLDER / "clock").read_text())
        except (OSError, ValueError):
            wanted = wrong
        if wanted != wrong:
            import time_machine

            if travel:
                travel.stop()
            now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=wanted)
            travel = time_machine.travel(now, tick=True)
            travel.start()
            wrong = wanted
        time.sleep(0.05)


sys.meta_path.insert(0, _Finder())
threading.Thread(target=_keep_clock, daemon=True).start()
