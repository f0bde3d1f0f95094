"""earshot doctor: every check is silent on a house that is right, and speaks when its part is broken."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from sqlalchemy import delete, select, update

from bot.bootstrap import Core
from bot.custody.backup import back_up
from bot.custody.tables import PurgeRun
from bot.directory.tables import DirectoryProblem, DirectorySource
from bot.operate.doctor import data, parts, people, settings, way_in
from bot.operate.doctor.command import all_checks, examine
from bot.operate.doctor.finding import Check, Finding
from bot.operate.model import model_path
from bot.rota import DUTY_WORKER, LEAD, Hours, Person, Rota
from bot.settings import ROOT
from bot.store.models import Alert, AuditHead, Conversation, Handover, Staff
from bot.store.uow import open_store
from tests.standins.tls import certificate

#: A Wednesday, within the hours of the example rota.
WEDNESDAY = datetime(2026, 11, 25, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def on_a_wednesday() -> Iterator[None]:
    with time_machine.travel(WEDNESDAY, tick=True):
        yield


def with_settings(house: Core, **changed: Any) -> Core:
    changed_settings = type(house.settings).parse_obj({**house.settings.dict(), **changed})
    return Core(changed_settings, house.content, open_store(changed_settings, house.content))


def told(check: Check, house: Core) -> str:
    """What a check says, as one text."""
    return " ".join(finding.what for finding in check(house))


def of_everybody(house: Core, **values: Any) -> None:
    """Change a field of everybody who works here."""
    with house.uow() as uow:
        for person in uow.session.scalars(select(Staff)):
            for name, value in values.items():
                setattr(person, name, value)
        uow.commit()


def a_conversation(house: Core, at: datetime) -> str:
    with house.uow() as uow:
        uow.session.add(
            Conversation(id="c" * 32, channel="web", created_at=at, last_at=at, memory={"kept": "marker"})
        )
        uow.commit()
    return "c" * 32


# Settings


def test_a_misspelt_variable_is_named_and_its_value_is_not() -> None:
    (finding,) = settings.unknown_names(
        {"EARSHOT_SECURE_COKIES": "s3cret", "EARSHOT_MODE": "demo", "HOME": "/"}
    )
    assert "EARSHOT_SECURE_COKIES" in finding.what and "s3cret" not in finding.what + finding.remedy


def test_every_variable_that_the_code_reads_is_known() -> None:
    known = set(settings.variables()) | settings.OTHERS
    sources = [p.read_text() for f in ("bot", "actions") for p in (ROOT / f).rglob("*.py")]
    read = {
        name for text in sources for name in re.findall(r'environ(?:\.get)?[\[(]"(EARSHOT_[A-Z_]+)"', text)
    }
    assert read and read <= known


def test_what_production_refuses_is_told(core: Core) -> None:
    assert not list(settings.safe_to_start(core))
    assert "unsigned" in told(settings.safe_to_start, with_settings(core, mode="production"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"public_url": "https://talk.example"}, "cookies may travel without TLS"),
        ({"secure_cookies": True}, "nobody can chat"),
        ({"public_url": "http://talk.example"}, "no TLS"),
        ({"public_url": "https://a.example/talk", "secure_cookies": True}, "has a path"),
        ({"public_url": "ftp://a.example"}, "no web address"),
        ({"host": "10.0.0.4"}, "no public address"),
        ({"host": "10.0.0.4", "public_url": "https://a.example", "secure_cookies": True}, "one caller"),
    ],
)
def test_address_tls_cookies_and_proxy_must_agree(core: Core, changed: dict[str, Any], words: str) -> None:
    assert words in told(settings.fits_together, with_settings(core, **changed))


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"public_url": "https://a.example", "secure_cookies": True},
        {
            "host": "10.0.0.4",
            "trusted_proxies": "10.0.0.5",
            "public_url": "https://a.example",
            "secure_cookies": True,
        },
    ],
)
def test_settings_that_agree_are_not_complained_of(core: Core, changed: dict[str, Any]) -> None:
    house = with_settings(core, **changed)
    assert not [*settings.fits_together(house), *settings.inner_addresses(house), *settings.logo(house)]


def test_rasa_belongs_on_loopback(core: Core) -> None:
    assert "EARSHOT_RASA_URL" in told(
        settings.inner_addresses, with_settings(core, rasa_url="http://10.0.0.9:5005")
    )


def test_a_logo_that_is_not_there_is_told(core: Core, tmp_path: Path) -> None:
    assert "EARSHOT_LOGO" in told(settings.logo, with_settings(core, logo=str(tmp_path / "none.svg")))


# Parts


class Answers(BaseHTTPRequestHandler):
    """Answers every GET with the JSON of its server."""

    def do_GET(self) -> None:  # noqa: N802
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.answer).encode())  # type: ignore[attr-defined]

    def log_message(self, *_args: Any) -> None:
        return


def port_of_nobody() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Starts a server that answers with some JSON; gives its port."""
    running: list[ThreadingHTTPServer] = []

    def start(answer: Any, host: str = "127.0.0.1") -> int:
        server = ThreadingHTTPServer((host, 0), Answers)
        server.answer = answer  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return int(server.server_address[1])

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def test_each_process_that_does_not_answer_is_named(core: Core, serve: Callable[..., int]) -> None:
    nobody, alive = port_of_nobody(), serve({"ready": True, "database": True, "model": True})
    up = {"rasa_url": f"http://127.0.0.1:{alive}", "actions_url": f"http://127.0.0.1:{alive}", "port": alive}
    assert not list(parts.processes(with_settings(core, **up)))
    for changed, words in (
        ({"rasa_url": f"http://127.0.0.1:{nobody}"}, "Rasa does not answer"),
        ({"actions_url": f"http://127.0.0.1:{nobody}"}, "action server does not answer"),
        ({"port": nobody}, "gateway does not answer"),
    ):
        assert told(parts.processes, with_settings(core, **{**up, **changed})).strip(".").endswith(words)


def test_what_the_gateway_says_of_its_parts_is_passed_on(core: Core, serve: Callable[..., int]) -> None:
    port = serve({"database": True, "model": False, "telegram": {"ok": False, "status": "refused"}})
    up = {"rasa_url": f"http://127.0.0.1:{port}", "actions_url": f"http://127.0.0.1:{port}", "port": port}
    said = told(parts.processes, with_settings(core, **up))
    assert "model is not ready" in said and "Telegram" in said and "refused" in said


def test_a_rasa_that_others_can_reach_is_told(
    core: Core, serve: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another address of this machine that is no other machine's: the tests may open loopback only.
    monkeypatch.setattr(parts, "own_addresses", lambda: ["127.0.0.1"])
    open_house = with_settings(core, rasa_url=f"http://127.0.0.1:{serve({})}")
    assert "Rasa answers at an address" in told(parts.reachable_from_outside, open_house)
    closed = {name: f"http://127.0.0.1:{port_of_nobody()}" for name in ("rasa_url", "actions_url")}
    assert not list(parts.reachable_from_outside(with_settings(core, **closed)))


def test_own_addresses_leave_loopback_out() -> None:
    assert not [one for one in parts.own_addresses() if one.startswith("127.") or one == "::1"]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (parts.model, "no Rasa model"),
        (parts.encoders, "encoder cannot be used"),
        (parts.postcodes, "by postcode"),
    ],
)
def test_what_was_not_built_is_told(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Check, words: str
) -> None:
    monkeypatch.setenv("EARSHOT_CACHE", str(tmp_path / "empty"))
    assert words in told(check, core)


def test_what_was_built_is_not_complained_of(core: Core) -> None:
    assert not [*parts.encoders(core), *parts.postcodes(core)]


def test_a_model_of_other_words_is_not_the_model(
    core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARSHOT_CACHE", str(tmp_path))
    model_path().parent.mkdir(parents=True)
    (model_path().parent / "earshot-0123456789abcdef.tar.gz").write_bytes(b"older")
    assert list(parts.model(core))
    model_path().write_bytes(b"of today")
    assert not list(parts.model(core))


def test_a_disk_without_room_is_told(core: Core, tmp_path: Path) -> None:
    assert not list(parts.disk(core, least=1))
    more_than_there_is = shutil.disk_usage(tmp_path).free + 1024**4
    assert "the database" in " ".join(f.what for f in parts.disk(core, least=more_than_there_is))


# Data


def test_a_database_that_is_not_there_or_old_is_told(core: Core, tmp_path: Path) -> None:
    assert not list(data.database(core))
    empty = with_settings(core, database_url=f"sqlite:///{tmp_path / 'empty.db'}")
    assert "newest schema" in told(data.database, empty)
    nowhere = with_settings(core, database_url=f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    assert "cannot be used" in told(data.database, nowhere)


def test_a_key_that_is_missing_is_told_and_an_old_one_mentioned(core: Core) -> None:
    assert not list(data.keys(core))
    old, new = core.settings.keys.get_secret_value(), Fernet.generate_key().decode()
    assert "opens with none" in told(data.keys, with_settings(core, keys=new))
    (finding,) = data.keys(with_settings(core, keys=f"{new},{old}"))
    assert "older key" in finding.what and not finding.wrong


def test_another_look_up_key_is_told(core: Core) -> None:
    with core.uow() as uow:
        uow.audit(core.now(), "operator", "tried")
        uow.commit()
    assert not list(data.lookup_key(core))
    assert "EARSHOT_LOOKUP_KEY" in told(data.lookup_key, with_settings(core, lookup_key="another" * 6))
    with core.uow() as uow:
        uow.session.execute(update(AuditHead).values(entries=7))
        uow.commit()
    assert list(data.lookup_key(core))


def test_a_clock_that_is_behind_is_told(core: Core) -> None:
    a_conversation(core, core.now())
    assert not list(data.clock(core))
    with time_machine.travel(WEDNESDAY - timedelta(hours=1)):
        assert "yet to come" in told(data.clock, core)


def test_a_purge_that_does_not_run_is_told(core: Core) -> None:
    assert not list(data.purge(core))
    a_conversation(core, core.now() - timedelta(days=3))
    assert "more than two days" in told(data.purge, core)
    with core.uow() as uow:
        now = core.now()
        uow.session.add(PurgeRun(actor="clock", began_at=now, claimed_until=now, finished_at=now))
        uow.commit()
    assert not list(data.purge(core))


def test_a_backup_that_is_old_or_missing_is_told(core: Core, tmp_path: Path) -> None:
    assert not list(data.backups(core))
    (unknown,) = data.backups(with_settings(core, mode="production"))
    assert not unknown.wrong
    folder = tmp_path / "backups"
    house = with_settings(core, backup_folder=str(folder))
    assert "cannot be read" in told(data.backups, house)
    folder.mkdir()
    (folder / "notes.txt").write_text("no backup")
    assert "There is no backup" in told(data.backups, house)
    back_up(core.store, folder / "tonight.backup", core.now())
    now = core.now().timestamp()
    os.utime(folder / "tonight.backup", (now, now))
    assert not list(data.backups(house))
    os.utime(folder / "tonight.backup", (now - 3 * 86_400, now - 3 * 86_400))
    assert "3 days old" in told(data.backups, house)


def test_unsigned_words_and_rules_are_wrong_in_production_only(core: Core) -> None:
    production = with_settings(core, mode="production")
    for check in (data.wording, data.retention):
        (here,), (there,) = check(core), check(production)
        assert not here.wrong and there.wrong and "signed" in here.what
    assert any(letter.isdigit() for letter in told(data.wording, core))


def test_services_that_nobody_checked_are_counted(core: Core) -> None:
    (of_the_demo,) = data.directory(core)
    assert not of_the_demo.wrong
    with time_machine.travel(WEDNESDAY + timedelta(days=400)):
        found = list(data.directory(with_settings(core, mode="production")))
    assert len(found) == 2 and all(one.wrong and "overdue for checking" in one.what for one in found)
    assert "helpline" in found[1].what


def test_records_that_could_not_be_taken_are_counted(core: Core) -> None:
    with core.uow() as uow:
        source = DirectorySource(address="https://feed.example", generation=1)
        uow.add(source)
        uow.add(DirectoryProblem(source_id=source.id, generation=1, label="x", reason="no name"))
        uow.commit()
    assert "1 record of a feed" in told(data.directory, core)


def test_a_helpline_is_overdue_the_day_after(tmp_path: Path) -> None:
    file = tmp_path / "numbers.yml"
    file.write_text('services:\n- {id: a, check_by: "2027-01-01"}\n- {id: b, check_by: "2027-06-01"}\n')
    assert data.overdue_numbers(file, date(2027, 1, 1)) == 0
    assert data.overdue_numbers(file, date(2027, 1, 2)) == 1


# People


def test_gaps_in_the_rota_are_mentioned_and_an_empty_day_is_wrong(core: Core) -> None:
    with core.store.read() as uow:
        gaps = people.unstaffed(uow.rota(), core.now(), "demoshire")
    assert {f.wrong for f in people.duty(core)} == ({False} if gaps else set())
    of_everybody(core, shifts=[])
    (finding,) = people.duty(core)
    assert finding.wrong and "next 24 hours" in finding.what


def test_a_gap_has_the_times_of_the_shifts_around_it(core: Core) -> None:
    day = tuple(range(1, 8))
    worker = Person("w", "W", DUTY_WORKER, "", hours=(Hours(day, time(9), time(17), True),))
    ((begins, ends),) = people.unstaffed(Rota((worker,)), WEDNESDAY, None)
    assert (begins.hour, ends.hour) == (17, 9) and begins.day == 25 and ends.day == 26


def test_a_lead_without_a_second_factor_is_counted_and_not_named(core: Core) -> None:
    (finding,) = people.leads(with_settings(core, mode="production"))
    assert finding.wrong and "no second factor" in finding.what
    with core.store.read() as uow:
        names = [word for p in uow.staff() for word in (p.name, p.id, p.email)]
    assert not [word for word in names if word in finding.what]
    of_everybody(core, totp_secret="JBSWY3DPEHPK3PXP")
    assert not list(people.leads(core))
    with core.uow() as uow:
        uow.session.execute(update(Staff).where(Staff.role == LEAD).values(active=False))
        uow.commit()
    assert "There is no lead" in told(people.leads, core)


def test_people_of_a_demo_and_without_mail_are_counted(core: Core) -> None:
    assert "demonstration" in told(people.mail, core)
    of_everybody(core, email="somebody@council.gov.uk")
    assert not list(people.mail(core))
    of_everybody(core, email=None)
    assert "cannot sign in" in told(people.mail, core)
    of_everybody(core, active=False)
    assert "Nobody works here" in told(people.mail, core)


def test_alert_addresses_that_reach_nobody_are_counted(core: Core) -> None:
    of_everybody(core, alert_urls=["mailto://user:pass@mail.council.gov.uk"])
    assert not list(people.alert_addresses(core))
    of_everybody(core, alert_urls=["not an address"])
    assert "no known form" in told(people.alert_addresses, core)
    of_everybody(core, alert_urls=["notify:07700 900123"])
    assert "GOV.UK Notify" in told(people.alert_addresses, core)
    of_everybody(core, alert_urls=[])
    (finding,) = people.alert_addresses(with_settings(core, mode="production"))
    assert finding.wrong and "no alert address" in finding.what


def test_alerts_that_failed_lately_are_counted_by_way(core: Core) -> None:
    conversation = a_conversation(core, core.now())
    with core.uow() as uow:
        someone = uow.staff()[0].id
        case = Handover(reference="ABC-123", conversation_id=conversation, kind="disclosure", state="waiting",
                        level="high", level_rank=2, about="self", opened_at=core.now())  # fmt: skip
        uow.add(case)
        uow.add(Alert(handover_id=case.id, staff_id=someone, tier=1, reason="opened", created_at=core.now(),
                      failed_at=core.now(), took={"mailto": False}))  # fmt: skip
        uow.commit()
    said = told(people.failed_alerts, core)
    assert "1 alert of the last 7 days" in said and "mailto 1" in said
    with time_machine.travel(WEDNESDAY + timedelta(days=8)):
        assert not list(people.failed_alerts(core))
    with core.uow() as uow:
        uow.session.execute(delete(Alert))
        uow.commit()
    assert not list(people.failed_alerts(core))


# The public address


class Proxy(BaseHTTPRequestHandler):
    """A proxy as the check meets it: ``server.refuses`` is what a wrong Host leads to."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in self.server.headers.items():  # type: ignore[attr-defined]
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:  # noqa: N802
        self._answer(200, self.server.says)  # type: ignore[attr-defined]

    def do_POST(self) -> None:  # noqa: N802
        self._answer(403 if self.server.refuses else 204, b"")  # type: ignore[attr-defined]

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(datetime.now().timestamp() + self.server.late)  # type: ignore[attr-defined]

    def log_message(self, *_args: Any) -> None:
        return


@pytest.fixture
def in_front(core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Core]]:
    """A TLS front that behaves as said; gives the house whose public address it is."""
    running: list[ThreadingHTTPServer] = []

    def start(ends: timedelta = timedelta(days=60), **behaviour: Any) -> Core:
        context = certificate(tmp_path, _really() + ends)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        server.headers = {"Strict-Transport-Security": "max-age=1"}  # type: ignore[attr-defined]
        server.refuses, server.says, server.late = False, b'{"alive": true}', 0  # type: ignore[attr-defined]
        vars(server).update(behaviour)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        url = f"https://localhost:{server.server_address[1]}"
        return with_settings(core, public_url=url, secure_cookies=True)

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({}, ""),
        ({"refuses": True}, "Host header"),
        ({"headers": {}}, "security headers"),
        ({"says": b"<h1>Welcome to nginx</h1>"}, "Something else than Earshot"),
        ({"late": 300}, "clocks of this machine and of the proxy"),
    ],
)
def test_a_proxy_that_does_not_do_its_part_is_told(
    in_front: Callable[..., Core], behaviour: dict[str, Any], words: str
) -> None:
    said = told(way_in.public_address, in_front(**behaviour))
    assert words in said and bool(said) == bool(words)


def test_a_public_address_that_nobody_trusts_or_answers_is_told(
    in_front: Callable[..., Core], core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = in_front()
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "cannot be reached" in told(way_in.public_address, house)
    nobody = with_settings(core, public_url=f"http://127.0.0.1:{port_of_nobody()}")
    assert "cannot be reached" in told(way_in.public_address, nobody)
    assert not list(way_in.public_address(core))


def test_a_certificate_that_soon_ends_is_told(in_front: Callable[..., Core], core: Core) -> None:
    house = in_front(ends=timedelta(days=5))
    with time_machine.travel(_really(), tick=True):
        assert "ends in" in told(way_in.certificate, house)
        assert not list(way_in.certificate(in_front()))
    assert not list(way_in.certificate(core))


def _really() -> datetime:
    """The time that TLS goes by, which no test can set."""
    done = subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True)
    return datetime.fromtimestamp(int(done.stdout), timezone.utc)


# The command


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(core: Core) -> None:
    def broken(_house: Core) -> Iterator[Finding]:
        raise RuntimeError("secret words")
        yield

    def fine(_house: Core) -> Iterator[Finding]:
        yield Finding("still here", "do it")

    found = list(examine(core, [("a", False, broken), ("b", True, fine)]))
    assert [f.what for _, f in found] == ["This could not be checked (RuntimeError).", "still here"]


def test_without_a_database_what_needs_it_is_not_asked(core: Core, tmp_path: Path) -> None:
    nowhere = with_settings(core, database_url=f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    needing = [entry for entry in all_checks() if entry[1]]
    assert needing and not list(examine(nowhere, needing))


def test_every_check_is_asked_by_the_command() -> None:
    asked = {check for _, _, check in all_checks()}
    written = {
        value
        for module in (settings, parts, data, people, way_in)
        for value in vars(module).values()
        if callable(value)
        and getattr(value, "__annotations__", {}).get("return") == "Iterator[Finding]"
        and getattr(value, "__module__", "") == module.__name__
    }
    assert written - {settings.unknown_names} == asked


def test_the_command_ends_with_one_and_prints_no_secret(core: Core, tmp_path: Path) -> None:
    nobody = port_of_nobody()
    environment = {
        **os.environ,
        "EARSHOT_VAR": str(tmp_path),
        "EARSHOT_KEYS": core.settings.keys.get_secret_value(),
        "EARSHOT_LOOKUP_KEY": core.settings.lookup_key.get_secret_value(),
        "EARSHOT_DATABASE_URL": core.settings.database_url,
        "EARSHOT_PORT": str(nobody),
        "EARSHOT_RASA_URL": f"http://127.0.0.1:{nobody}",
        "EARSHOT_ACTIONS_URL": f"http://127.0.0.1:{nobody}",
    }

    def run(**more: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "bot.cli", "doctor", "--json"],
            cwd=ROOT, env={**environment, **more}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    status, printed = run()
    found = json.loads(printed)
    assert status == 1 and "The gateway does not answer." in [one["what"] for one in found]
    assert all(one["remedy"] for one in found)
    with core.store.read() as uow:
        hidden = [word for p in uow.staff() for word in (p.name, p.id, p.email)]
    hidden += [environment["EARSHOT_KEYS"], environment["EARSHOT_LOOKUP_KEY"]]
    assert not [word for word in hidden if word in printed]
    status, printed = run(EARSHOT_KEYS="nonsense")
    assert status == 1 and "EARSHOT_KEYS" in printed and "nonsense" not in printed
