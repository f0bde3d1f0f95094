"""Ways an alert goes out: the console of a demo, Apprise, GOV.UK Notify. Each address is tried by itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import apprise
import structlog

from bot.alerts.addresses import is_notify, kind_of
from bot.alerts.notify import Notify, NotifyDown
from bot.settings import Settings

log = structlog.get_logger(__name__)

#: Stand where no address is: the terminal of a demo, an open desk, nothing at all.
CONSOLE, DESK, NOWHERE = "console", "desk", "nowhere"
#: Seconds that connecting to a mail server, and each of its answers, may take.
PATIENCE = 8.0


@dataclass(frozen=True)
class Notice:
    """What an alert says, and to whom.

    ``values`` are what the words are made of, for services that keep the words themselves. ``key`` is the
    same for each try of one alert; ``again`` says that an earlier try may have gone out. ``at_desk``: the
    person has the desk open.
    """

    title: str
    body: str
    urls: Sequence[str]
    values: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    again: bool = False
    at_desk: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a notice: for each kind of address whether it took it, and Notify's receipts."""

    took: Mapping[str, bool]
    receipts: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether at least one address took it."""
        return any(self.took.values())


class Sender(Protocol):
    """Sends a notice."""

    def send(self, notice: Notice) -> Outcome: ...


class ConsoleSender:
    """Writes alerts to the terminal, for the demo."""

    def send(self, notice: Notice) -> Outcome:
        """Write the notice to standard error."""
        sys.stderr.write(f"{notice.title} {notice.body}\n")
        return Outcome({CONSOLE: True})


class DeskSender:
    """For people without an address: an open desk shows and sounds by itself; without one nothing does."""

    def send(self, notice: Notice) -> Outcome:
        """Say whether the desk tells them."""
        return Outcome({DESK: True} if notice.at_desk else {NOWHERE: False})


class AddressSender:
    """Sends to a person's addresses, by Apprise (mail, Telegram, Teams and many others) or by Notify."""

    def __init__(self, notify: Notify | None = None) -> None:
        self._notify = notify

    def send(self, notice: Notice) -> Outcome:
        """Send to every address; one dead address does not hide a live one."""
        took: dict[str, bool] = {}
        receipts: list[str] = []
        for address in notice.urls:
            kind = kind_of(address)
            try:
                if is_notify(address):
                    sent = self._by_notify(address, notice, receipts)
                else:
                    sent = self._by_apprise(address, notice)
            except Exception as error:  # noqa: BLE001 - one broken address must not stop the others
                log.warning("alert_address_failed", kind=kind, error=type(error).__name__)
                sent = False
            took[kind] = took.get(kind, False) or sent
        return Outcome(took, tuple(receipts))

    def _by_notify(self, address: str, notice: Notice, receipts: list[str]) -> bool:
        if self._notify is None:
            raise NotifyDown("no key")
        receipts.append(self._notify.send(address, notice.values, notice.key, again=notice.again))
        return True

    def _by_apprise(self, address: str, notice: Notice) -> bool:
        # One by one: Apprise reports only all-or-nothing.
        service = apprise.Apprise.instantiate(address)
        if service is None:
            return False
        service.socket_connect_timeout = min(service.socket_connect_timeout, PATIENCE)
        return bool(service.notify(title=notice.title, body=notice.body))


@dataclass(frozen=True)
class Senders:
    """The senders of one process: for people with addresses, and for those without."""

    remote: Sender
    bare: Sender

    def send(self, notice: Notice) -> Outcome:
        """Send a notice the way that fits."""
        return (self.remote if notice.urls else self.bare).send(notice)


def senders(settings: Settings) -> Senders:
    """The senders of these settings: the console stands in for addresses in a demo only."""
    bare = ConsoleSender() if settings.mode == "demo" else DeskSender()
    return Senders(AddressSender(Notify.of(settings)), bare)
