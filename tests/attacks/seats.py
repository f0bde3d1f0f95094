"""A browser of each role at one desk."""

from __future__ import annotations

import re

from bot.desk import access
from bot.gateway.headers import SecurityHeaders
from tests.attacks.driver import Driver
from tests.desk.test_access import ROLES
from tests.desk.world import World


class Staffed:
    """A browser of each role on one desk; somebody who was signed out signs in again."""

    def __init__(self, world: World) -> None:
        self.world = world
        # As in the gateway: what the desk itself does not answer has headers too.
        self.driver = Driver(SecurityHeaders(world.app, hsts=False))
        self._seats: dict[str, tuple[str, str]] = {}

    def seat(self, role: str) -> str:
        """Sit down as this role; gives the token of its forms."""
        self.driver.cookies.clear()
        if role == access.NOBODY:
            return ""
        if role in self._seats:
            cookie, token = self._seats[role]
            self.driver.cookies["earshot_desk"] = cookie
            if self.driver("GET", "/desk/", {"accept": "text/html"}).status == 200:
                return token
            self.driver.cookies.clear()
        with self.world.core.uow() as uow:
            uow.staff_member(ROLES[role]).active = True
            uow.commit()
        answer = self.driver.form("/desk/sign-in/link", token=self.world.link(ROLES[role]))
        cookie = next(c for c in answer.set_cookies if c.startswith("earshot_desk=")).split(";")[0][13:]
        self.driver.cookies["earshot_desk"] = cookie
        page = self.driver("GET", "/desk/", {"accept": "text/html"}).text
        found = re.search(r'name="csrf" content="([^"]+)"', page)
        self._seats[role] = cookie, found[1] if found else ""
        return self._seats[role][1]
