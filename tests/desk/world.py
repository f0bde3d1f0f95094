"""A desk with invented people, and the verbs its tests are written in."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta, timezone
from functools import lru_cache

import pyotp
from cryptography.fernet import Fernet
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from bot import handover, transcript
from bot.bootstrap import Core
from bot.changes import Changes
from bot.content import Content
from bot.desk.app import desk_app
from bot.desk.sessions import make_invitation
from bot.desk.sign_in import hash_password, make_link
from bot.messages import Channel, Sender
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level
from bot.settings import ROOT, Settings
from bot.store.models import AuditEntry, Base, Place, Shift, Staff
from bot.store.uow import open_store
from tests.standins.houses import begin_chat

PASSWORD = "three wet umbrellas"
DAYS = [1, 2, 3, 4, 5, 6, 7]

#: id, name, role, title, place, whether the rota has them around the clock
PEOPLE = (
    ("priya", "Priya Nandakumar", "duty_worker", "Duty worker", None, True),
    ("tom", "Tom Ashworth", "duty_worker", "Duty worker", None, True),
    ("lena", "Lena Fairweather", "lead", "Safeguarding lead", None, True),
    ("okoro", "Mrs Okoro", "safe_adult", "Head of year 9", "hill", True),
    ("bell", "Mr Bell", "safe_adult", "School counsellor", "hill", True),
    ("noah", "Noah Quill", "duty_worker", "Duty worker", None, False),
    ("ada", "Ada Moss", "administrator", "Administrator", None, True),
)


@lru_cache(maxsize=1)
def _content() -> Content:
    return Content.load(ROOT / "data")


@lru_cache(maxsize=1)
def _stored_password() -> str:
    return hash_password(PASSWORD)


def make_core(folder, **more) -> Core:
    """A core on an empty SQLite database in ``folder``, with the real words."""
    settings = Settings(
        **more,
        keys=Fernet.generate_key().decode(),
        lookup_key=secrets.token_hex(32),
        database_url=f"sqlite:///{folder / 'desk.db'}",
    )
    content = _content()
    store = open_store(settings, content)
    Base.metadata.create_all(store.engine)
    return Core(settings, content, store)


def email(staff_id: str) -> str:
    """The sign-in of one of :data:`PEOPLE`."""
    return f"{staff_id}@desk.example"


def finding(
    text: str, words: str, level: Level = Level.HIGH, category: Category = Category.PHYSICAL_ABUSE
) -> Finding:
    """What the detector would say of a message in which ``words`` are the evidence."""
    start = text.index(words)
    evidence = Evidence("phrase", "hit_by_adult", words, start, start + len(words), level, (category,))
    return Finding(level, (category,), About.SELF, (evidence,))


class World:
    """The database, the desk on it, and what young people and staff do."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.changes = Changes(core.store)
        self.app = Starlette(routes=[Mount("/desk", desk_app(core, self.changes))])

    def hire(self) -> None:
        """Put everybody on the rota; all of them have :data:`PASSWORD`."""
        with self.core.uow() as uow:
            uow.add(Place(id="hill", name="Hillbrook School", kind="school", area="Northmoor"))
            for staff_id, name, role, title, place, always in PEOPLE:
                staff = Staff(
                    id=staff_id,
                    name=name,
                    role=role,
                    job_title=title,
                    place_id=place,
                    email=email(staff_id),
                    sign_in_hash=uow.cipher.find_hash("staff", email(staff_id)),
                )
                uow.add(staff)
                staff.password_hash = _stored_password()
                if always:
                    staff.shifts = [Shift(days=DAYS, starts="00:00", ends="00:00", bank_holidays=True)]
            uow.commit()

    # A young person -------------------------------------------------------------------------------

    def conversation(self, channel: Channel = Channel.WEB, safe_adult: str | None = None) -> str:
        """Somebody opens a chat."""
        now = self.core.now()
        with self.core.uow() as uow:
            found = begin_chat(uow, now, channel, place_id="hill", safe_adult_id=safe_adult)
            transcript.say(uow, found, "utter_opening_hello", now)
            uow.commit()
            return found.id

    def says(self, conversation_id: str, text: str, words: str = "", **found) -> Finding:
        """They write; ``words`` is what the detector takes as evidence."""
        seen = finding(text, words, **found) if words else Finding()
        with self.core.uow() as uow:
            talk = uow.conversation(conversation_id, lock=True)
            message = transcript.append(uow, talk, Sender.YOU, text, self.core.now())
            message.finding, message.level = seen.to_dict(), seen.level.value
            if case := uow.open_handover_of(conversation_id):
                handover.person_wrote(uow, case, seen, self.core.now())
            uow.commit()
        return seen

    def opens(self, conversation_id: str, seen: Finding, ago: timedelta = timedelta(), **more) -> int:
        """A handover is opened, perhaps some time ago."""
        with self.core.uow() as uow:
            opened = handover.open_handover(
                uow, conversation_id, now=self.core.now() - ago, finding=seen, **more
            )
            uow.commit()
            return opened.handover_id

    def case(
        self,
        text: str = "my stepdad hits me when hes had a drink",
        words: str = "my stepdad hits me",
        ago: timedelta = timedelta(),
        safe_adult: str | None = None,
        channel: Channel = Channel.WEB,
        **found,
    ) -> int:
        """A disclosure with its handover."""
        talk = self.conversation(channel, safe_adult)
        return self.opens(talk, self.says(talk, text, words, **found), ago)

    # What the database holds ----------------------------------------------------------------------

    def handover(self, case_id: int):
        """The stored handover."""
        with self.core.store.read() as uow:
            return uow.handover(case_id)

    def texts(self, case_id: int) -> list[str]:
        """The transcript's texts."""
        with self.core.store.read() as uow:
            return [m.text for m in uow.messages(uow.handover(case_id).conversation_id)]

    def audit(self, case_id: int) -> list[tuple[str, str]]:
        """``(actor, action)`` of a case's audit log."""
        with self.core.store.read() as uow:
            return [(entry.actor, entry.action) for entry in uow.audit_of(case_id)]

    # Staff ----------------------------------------------------------------------------------------

    def link(self, staff_id: str, hours: float = 12, now: datetime | None = None) -> str:
        """The token of a one-time link."""
        with self.core.uow() as uow:
            token = make_link(uow, staff_id, now or datetime.now(timezone.utc), hours)
            uow.commit()
            return token

    def invitation(self, staff_id: str, **more) -> str:
        """The token of an invitation from the lead."""
        with self.core.uow() as uow:
            token = make_invitation(uow, staff_id, self.core.now(), "lena", **more)
            uow.commit()
            return token

    def has_factor(self, staff_id: str) -> str:
        """Somebody has a second factor; gives its secret."""
        secret = pyotp.random_base32()
        with self.core.uow() as uow:
            uow.staff_member(staff_id).totp_secret = secret
            uow.commit()
        return secret

    def log(self) -> list[tuple[str, str, str | None]]:
        """``(actor, action, subject)`` of the whole audit log."""
        with self.core.store.read() as uow:
            entries = uow.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
            return [(entry.actor, entry.action, entry.subject) for entry in entries]

    def browser(self) -> Browser:
        """A browser that is not signed in."""
        return Browser(TestClient(self.app, follow_redirects=False))

    def at_desk(self, staff_id: str) -> Browser:
        """A browser in which somebody is signed in."""
        browser = self.browser()
        answer = browser.post("/desk/sign-in/link", token=self.link(staff_id))
        assert answer.status_code == 303, answer.text
        return browser


class Browser:
    """A browser without JavaScript: it fetches pages, and sends forms with the token of the last page."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str, **headers: str):
        """Open a page."""
        return self.client.get(path, headers={"accept": "text/html", **headers})

    def post(self, path: str, headers: dict | None = None, **form: str):
        """Send a form as it stands on our own page."""
        if "earshot_desk" in self.client.cookies and "csrf_token" not in form:
            form["csrf_token"] = self.token()
        return self.client.post(path, data=form, headers={"accept": "text/html", **(headers or {})})

    def token(self) -> str:
        """The CSRF token of this session."""
        for path in ("/desk/", "/desk/second-factor", "/desk/second-factor/set-up"):
            if found := re.search(r'name="csrf" content="([^"]+)"', self.get(path).text):
                return found[1]
        return ""
