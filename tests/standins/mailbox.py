"""A mail server on loopback that keeps what it gets; it can be stopped and come back at the same port."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from aiosmtpd.controller import Controller

from tests.standins.served import free_port


class Mailbox:
    """The server and its mails. ``hold`` keeps it silent in the middle of a mail until it is set."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[str] = []
        self.asked = threading.Event()  # somebody began to hand over a mail
        self.hold: threading.Event | None = None
        self._controller: Controller | None = None

    def address(self, to: str) -> str:
        """The Apprise address of somebody who reads mail here."""
        return f"mailto://127.0.0.1:{self.port}?from=earshot@example.org&to={to}"

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Somebody hands over a mail."""
        self.asked.set()
        if self.hold is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.hold.wait, 30)
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """The mail itself."""
        self.mails.append(envelope.content.decode())
        return "250 OK"

    def open(self) -> None:
        """Listen."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def close(self) -> None:
        """Stop listening."""
        if self._controller:
            self._controller.stop()
            self._controller = None
