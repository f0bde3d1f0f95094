"""The faults: each breaks one thing while somebody tells of harm, mends it, and gives a row."""

from __future__ import annotations

import itertools
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.journeys.chaos.house import ChaosHouse
from tests.journeys.chaos.person import DISCLOSURE, PROMISE, Person, Row
from tests.journeys.house import wait_for

#: The steps of a disclosure, and their names in the table.
STEPS = {
    "before": "before the message",
    "stored": "stored, not yet assessed",
    "asked": "while Rasa is asked",
    "opened": "handover opened, no reply yet",
    "answered": "reply stored, not yet delivered",
    "waiting": "while waiting for a person",
}
PROCESSES = {"rasa": "Rasa", "actions": "action server", "gateway": "gateway"}
#: Seconds for which a fault of the surroundings lasts: longer than anybody waits for it.
LASTS = 8.0
HOUR = 3600.0
#: Nobody on Telegram has talked to this bot before.
_phones = itertools.count(700_000_000 + secrets.randbelow(10**8))


@dataclass(frozen=True)
class Fault:
    """``key`` is what a test asks for; ``run`` gives the row."""

    key: str
    run: Callable[[ChaosHouse], Row]


def _all_back(house: ChaosHouse) -> None:
    for name in PROCESSES:
        house.back(name)


@contextmanager
def _somebody(house: ChaosHouse) -> Iterator[Person]:
    _all_back(house)
    person = Person(house)
    try:
        yield person
    finally:
        person.goes()


def killed(name: str, step: str) -> Fault:
    """kill -9 of one process at one step."""

    def run(house: ChaosHouse) -> Row:
        with _somebody(house) as person:
            if step == "before":
                house.kill(name)
                person.tells()
            elif step == "waiting":
                person.tells()
                person.settles()
                house.kill(name)
                person.tells("is someone coming")
            else:
                with house.held_at(step):
                    person.tells()
                    house.wait_at(step)
                    house.kill(name)
            first = person.waits()
            house.start(name)
            if name == "gateway":
                house.back(name)
            person.settles()
            return person.row(f"{PROCESSES[name]} killed (kill -9)", STEPS[step], first)

    return Fault(f"{name}-killed-{step}", run)


def frozen(name: str) -> Fault:
    """A process that hangs (SIGSTOP) and goes on later."""

    def run(house: ChaosHouse) -> Row:
        with _somebody(house) as person:
            house.send_signal(name, signal.SIGSTOP)
            try:
                person.tells()
                first = person.waits()
                time.sleep(LASTS - PROMISE)
            finally:
                house.send_signal(name, signal.SIGCONT)
            person.settles()
            return person.row(f"{PROCESSES[name]} frozen", STEPS["before"], first)

    return Fault(f"{name}-frozen", run)


def surroundings(key: str, fault: str, breaks: Callable[[ChaosHouse], object], step: str) -> Fault:
    """Something outside the processes breaks for a while, before the message or once it is stored."""

    def run(house: ChaosHouse) -> Row:
        with _somebody(house) as person:
            until = time.monotonic() + LASTS
            if step == "before":
                with breaks(house):
                    person.tells()
                    first = person.waits()
                    time.sleep(max(0.0, until - time.monotonic()))
            else:
                with house.held_at(step):
                    person.tells()
                    house.wait_at(step)
                    with breaks(house):
                        house.let_go(step)
                        first = person.waits()
                        time.sleep(LASTS / 2)
            person.settles()
            return person.row(fault, STEPS[step], first)

    return Fault(f"{key}-{step}", run)


def clock_jumps(seconds: float, step: str) -> Fault:
    """Every clock of the house jumps while it runs."""
    fault = f"clock jumps an hour {'forward' if seconds > 0 else 'back'}"

    def run(house: ChaosHouse) -> Row:
        with _somebody(house) as person:
            if step == "waiting":
                person.tells()
                person.settles()
                with house.clock_wrong(seconds):
                    person.tells("is someone coming")
                    first = person.waits()
                    time.sleep(3)  # the clock ticks: what is due by its time is done
                    person.settles()
                    return person.row(fault, STEPS[step], first)
            with house.held_at(step):
                person.tells()
                house.wait_at(step)
                house.kill("gateway")
            first = person.waits()
            with house.clock_wrong(seconds):
                house.back("gateway")
                person.settles()
                return person.row(f"{fault}, gateway killed", STEPS[step], first)

    return Fault(f"clock-{'forward' if seconds > 0 else 'back'}-{step}", run)


def mail_down(house: ChaosHouse) -> Row:
    """No alert arrives; mail comes back, and at the next deadline somebody hears of it."""
    with _somebody(house) as person:
        house.mailbox.close()
        try:
            person.tells()
            first = person.waits()
            # Each is tried three times, then the next are asked at once, up to the leads.
            wait_for(person.nobody_was_reached, 90, lambda: "somebody was reached without mail")
        finally:
            house.mailbox.open()
        with house.clock_wrong(HOUR):
            wait_for(person.somebody_heard, 60, lambda: "nobody heard of it")
            person.settles()
            return person.row("mail server down, then back", STEPS["before"], first)


def two_at_once(house: ChaosHouse) -> Row:
    """Two gateways are given the same message at the same moment."""
    with _somebody(house) as person:
        house.open_second()
        try:
            with house.held_at("stored"):
                person.tells()
                house.wait_at("stored")
                person.sends_at(house.second_url)
            first = person.waits()
            person.settles()
            return person.row("two gateways, the same message at both", STEPS["stored"], first)
        finally:
            house.close_second()


def one_of_two_dies(house: ChaosHouse) -> Row:
    """One of two gateways dies in the middle of a message and stays away: the other takes it up."""
    with _somebody(house) as person:
        house.open_second()
        try:
            with house.held_at("stored"):
                person.tells()
                house.wait_at("stored")
                house.kill("gateway")
            first = person.waits()
            person.settles()
            return person.row("two gateways, one killed for good", STEPS["stored"], first)
        finally:
            house.close_second()


def telegram_down(step: str) -> Fault:
    """Telegram does not answer for a while."""

    def run(house: ChaosHouse) -> Row:
        _all_back(house)
        phone = house.telegram.person(next(_phones))
        phone.starts()
        person = Person.on_telegram(house, phone)
        if step == "before":
            house.telegram.goes_down()
            phone.says(DISCLOSURE)
        else:
            with house.held_at(step):
                phone.says(DISCLOSURE)
                house.wait_at(step)
                house.telegram.goes_down()
        first = person.waits()
        time.sleep(LASTS - PROMISE)
        house.telegram.comes_back()
        person.settles()
        person.reads_once()
        return person.row("Telegram down, then back", STEPS[step], first)

    return Fault(f"telegram-down-{step}", run)


#: On SQLite, in an order in which few processes have to be waited for.
FAULTS = (
    *(killed("gateway", step) for step in STEPS),
    *(killed("actions", step) for step in STEPS),
    *(killed("rasa", step) for step in STEPS),
    *(frozen(name) for name in PROCESSES),
    *(
        surroundings(key, fault, breaks, step)
        for key, fault, breaks in (
            ("locked", "database locked for 8 s", ChaosHouse.locked),
            ("disk-full", "disk full for 8 s", ChaosHouse.disk_full),
        )
        for step in ("before", "stored")
    ),
    Fault("mail-down", mail_down),
    *(telegram_down(step) for step in ("before", "answered")),
    Fault("two-gateways-same-message", two_at_once),
    Fault("two-gateways-one-dies", one_of_two_dies),
    *(clock_jumps(seconds, step) for seconds in (HOUR, -HOUR) for step in ("stored", "waiting")),
)
