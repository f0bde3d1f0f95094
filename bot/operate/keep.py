"""Keeps one process of the house running: starts it again when it dies.

    python -m bot.operate.keep NAME COMMAND

Rasa killed by the system's memory guard, say, is back a few seconds later, and the other processes never
stopped. A command that dies again and again right after its start is given up, with its exit status.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

#: Seconds a process must live for its start to count as good.
GOOD_START = 5.0
#: Starts in a row that were not good before it is given up.
TRIES = 3


def keep(name: str, command: str) -> int:
    """Run ``command`` in a shell until told to stop (SIGTERM or SIGINT). Returns the exit status."""
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def stop(_signal: int, _frame: object) -> None:
        stopping.set()
        for process in running:
            process.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    failures = 0
    while True:
        began = time.monotonic()
        process = subprocess.Popen(["/bin/sh", "-c", command])  # noqa: S603 - a line of our own Procfile
        running[:] = [process]
        if stopping.is_set():
            process.terminate()
        status = process.wait()
        if stopping.is_set():
            return 0
        failures = failures + 1 if time.monotonic() - began < GOOD_START else 0
        if failures == TRIES:
            return status or 1
        sys.stderr.write(f"{name} ended with status {status}; starting it again\n")
        stopping.wait(min(2**failures, 10))
        if stopping.is_set():
            return 0


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2]))
