"""The deployment recipes: variables exist, ports agree, the walls stand, and what can be run here is run."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
import yaml
from cryptography.fernet import Fernet
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from bot.bootstrap import Core, build_core
from bot.gateway.app import create_app
from bot.operate.doctor import way_in
from bot.operate.doctor.settings import OTHERS
from bot.settings import ROOT, Settings, load_settings, variables
from bot.store.migrate import migrate
from bot.store.models import DialogueState
from bot.store.tracker import SealedTrackerStore
from tests.standins.postgres import needs_postgres, running
from tests.standins.served import free_port
from tests.standins.tls import certificate

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
ENVS = {path.name.removesuffix(".example"): path for path in (DEPLOY / "env").iterdir()}
EVERY_FILE = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
#: What keeps a process that is broken into from the rest of the machine (systemd.exec(5)).
SANDBOX = {
    "ProtectSystem": "strict",
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectHome": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallFilter": "@system-service",
    "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces": "yes",
}


def name_of(path: Path) -> str:
    return path.name


def directives(unit: Path) -> dict[str, list[str]]:
    """What a unit says, by name; a name may stand several times."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def environment_of(name: str) -> dict[str, str]:
    """The variables of one of the environment files."""
    lines = ENVS[name].read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("path", EVERY_FILE, ids=name_of)
def test_every_variable_that_a_recipe_names_exists(path: Path) -> None:
    named = set(re.findall(r"\b(?:EARSHOT|TELEGRAM)_[A-Z_]*[A-Z]\b", path.read_text()))
    assert named <= set(variables()) | OTHERS


def test_every_variable_of_the_environment_files_is_one_line_with_a_value_or_left_to_fill_in() -> None:
    filled = {**environment_of("common.env"), "EARSHOT_KEYS": Fernet.generate_key().decode()}
    settings = load_settings({**filled, "EARSHOT_LOOKUP_KEY": secrets.token_hex(32)})
    assert settings.mode == "production" and settings.secure_cookies and settings.second_factor_required


def test_no_recipe_holds_a_secret() -> None:
    secret = {name for name, field in variables().items() if "SecretStr" in str(Settings.__fields__[field])}
    for name in ENVS:
        assert not [one for one, value in environment_of(name).items() if one in secret and value]


@pytest.mark.parametrize("proxy", ["nginx.conf", "Caddyfile", "container/Caddyfile"])
def test_the_ports_agree(proxy: str) -> None:
    common = environment_of("common.env")
    procfile = (ROOT / "Procfile").read_text()
    assert "-i 127.0.0.1" in procfile
    for name in ("EARSHOT_RASA_URL", "EARSHOT_ACTIONS_URL"):
        default = Settings.__fields__[variables()[name]].default
        assert common[name] == default and urlsplit(default).hostname == "127.0.0.1"
    assert common["EARSHOT_PORT"] == str(Settings.__fields__["port"].default)
    host = "gateway" if proxy.startswith("container") else common["EARSHOT_HOST"]
    assert f"{host}:{common['EARSHOT_PORT']}" in (DEPLOY / proxy).read_text()
    assert urlsplit(common["EARSHOT_PUBLIC_URL"]).hostname in (DEPLOY / proxy).read_text()


@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_every_unit_is_shut_in(unit: Path) -> None:
    told = directives(unit)
    assert {name: told[name][0] for name in SANDBOX} == SANDBOX
    assert told["MemoryMax"] and told["DynamicUser"] == ["yes"] and told["UMask"] == ["0077"]


def test_each_process_of_the_procfile_has_a_unit_and_a_user_of_its_own() -> None:
    processes = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.MULTILINE)
    units = {name: directives(DEPLOY / "systemd" / f"earshot-{name}.service") for name in processes}
    assert {told["User"][0] for told in units.values()} == {f"earshot-{name}" for name in processes}
    for name, told in units.items():
        assert told["ExecStart"] == [f"/opt/earshot/.venv/bin/python -m bot.cli process {name}"]


def test_rasa_is_given_none_of_the_keys_of_the_house() -> None:
    told = directives(DEPLOY / "systemd" / "earshot-rasa.service")
    assert told["EnvironmentFile"] == ["/etc/earshot/common.env", "/etc/earshot/rasa.env"]
    container = yaml.safe_load((DEPLOY / "container" / "compose.yml").read_text())["services"]["rasa"]
    assert container["env_file"] == ["../env/common.env.example", "rasa.env"]


@pytest.mark.parametrize("name", ["rasa", "actions"])
def test_rasa_and_the_action_server_may_reach_this_machine_only(name: str) -> None:
    told = directives(DEPLOY / "systemd" / f"earshot-{name}.service")
    assert (told["IPAddressDeny"], told["IPAddressAllow"]) == (["any"], ["localhost"])


def test_the_backup_goes_where_the_doctor_looks() -> None:
    folder = environment_of("common.env")["EARSHOT_BACKUP_FOLDER"]
    told = directives(DEPLOY / "systemd" / "earshot-backup.service")
    assert folder == f"/var/lib/{told['StateDirectory'][0].split()[-1]}"
    assert "$$EARSHOT_BACKUP_FOLDER/" in told["ExecStart"][0] and f"{folder}/ " in told["ExecStartPost"][0]


def test_the_admin_command_is_a_shell_script_that_reads_the_same_files() -> None:
    script = DEPLOY / "systemd" / "earshot-admin"
    assert os.access(script, os.X_OK)
    subprocess.run(["sh", "-n", str(script)], check=True)
    gateway = directives(DEPLOY / "systemd" / "earshot-gateway.service")["EnvironmentFile"]
    assert re.findall(r"EnvironmentFile=(\S+)", script.read_text()) == gateway


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_systemd_reads_the_unit_and_finds_it_shut_in(unit: Path) -> None:
    def analyse(*arguments: str) -> str:
        done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    complaints = analyse("verify", str(unit)).splitlines()
    assert not [line for line in complaints if unit.name in line and "is not executable" not in line]
    (level,) = re.findall(r"exposure level.*: ([\d.]+)", analyse("security", "--offline=true", str(unit)))
    assert float(level) < 2.0  # of 10; 0 is shut in entirely


def test_the_compose_file_hangs_together() -> None:
    document = yaml.safe_load((DEPLOY / "container" / "compose.yml").read_text())
    services = document["services"]
    known = {"image", "restart", "read_only", "cap_drop", "security_opt", "tmpfs", "pids_limit", "build",
             "command", "env_file", "environment", "volumes", "networks", "depends_on", "mem_limit", "ports",
             "stop_grace_period", "network_mode", "secrets", "healthcheck"}  # fmt: skip
    for name, service in services.items():
        assert set(service) <= known, name
        assert set(service.get("depends_on", ())) <= set(services)
        assert set(service.get("networks", ())) <= set(document["networks"])
        assert set(service.get("secrets", ())) <= set(document["secrets"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in document["volumes"] or (DEPLOY / "container" / source).exists()
    # Whoever shares a network namespace is on the same loopback; nobody but the proxy is published.
    assert {services[name]["network_mode"] for name in ("rasa", "actions")} == {"service:gateway"}
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    proxy = services["proxy"]["networks"]["front"]["ipv4_address"]
    assert services["gateway"]["environment"]["EARSHOT_TRUSTED_PROXIES"] == proxy
    for name in ("gateway", "rasa", "actions"):
        assert services[name]["cap_drop"] == ["ALL"] and services[name]["read_only"]


def test_the_image_is_built_from_the_lock_with_hashes() -> None:
    steps = (DEPLOY / "container" / "Containerfile").read_text()
    assert "--require-hashes -r requirements.lock" in steps and "USER earshot" in steps
    assert f"python:{(ROOT / '.python-version').read_text().strip()[:4]}" in steps
    told = re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())
    assert told and f"uv=={told[1]}" in steps


# PostgreSQL: Rasa's role


@pytest.fixture(scope="module")
def postgres() -> Iterator[int]:
    """The port of a PostgreSQL whose administrator is postgres, as on a server."""
    with running("postgres") as server:
        yield server.port


@needs_postgres
async def test_rasas_role_and_key_open_what_rasa_remembers_and_nothing_else(
    postgres: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def psql(*arguments: str) -> None:
        address = ["psql", "-h", "127.0.0.1", "-p", str(postgres), "-U", "postgres", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run([*address, "-q", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    psql("-f", str(DEPLOY / "postgresql.sql"))
    of_house, of_rasa = Fernet.generate_key().decode(), Fernet.generate_key().decode()

    def house(role: str, keys: str) -> Core:
        url = f"postgresql://{role}@127.0.0.1:{postgres}/earshot"
        return build_core(Settings(keys=keys, lookup_key=secrets.token_hex(32), database_url=url))

    gateway, rasa = house("earshot", f"{of_house},{of_rasa}"), house("earshot_rasa", of_rasa)
    migrate(gateway.store)
    psql("-d", "earshot", "-c", "SELECT grant_to_rasa()")

    monkeypatch.setattr("bot.store.tracker.core", lambda: rasa)
    store = SealedTrackerStore(Domain.empty())
    tracker = DialogueStateTracker("c" * 32, [])
    for said in ("first marker", "second marker"):
        tracker.update(UserUttered(said))
        await store.save(tracker)  # made, then written over
    again = await store.retrieve("c" * 32)
    assert again and [e.text for e in again.events if isinstance(e, UserUttered)][-1] == "second marker"
    with gateway.store.read() as uow:  # backup and export open it
        assert "second marker" in uow.session.get(DialogueState, "c" * 32).body

    tables = [name for (name,) in gateway.store.engine.connect().execute(
        text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'dialogue_state'")
    )]  # fmt: skip
    assert len(tables) > 10
    for table in tables:
        with rasa.store.engine.connect() as connection, pytest.raises(ProgrammingError, match="permission"):
            connection.execute(text(f'SELECT 1 FROM "{table}"'))
    with rasa.store.engine.connect() as connection, pytest.raises(ProgrammingError, match="permission"):
        connection.execute(text("DELETE FROM dialogue_state"))
    for opened in (gateway, rasa):
        opened.store.engine.dispose()


async def test_rasa_begins_anew_where_its_key_does_not_open_what_is_there(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.tracker.core", lambda: core)
    first = SealedTrackerStore(Domain.empty())
    tracker = DialogueStateTracker("c" * 32, [])
    tracker.update(UserUttered("before"))
    await first.save(tracker)
    other = build_core(
        core.settings.copy(update={"keys": type(core.settings.keys)(Fernet.generate_key().decode())})
    )
    monkeypatch.setattr("bot.store.tracker.core", lambda: other)
    second = SealedTrackerStore(Domain.empty())
    assert await second.retrieve("c" * 32) is None
    await second.save(tracker)
    assert await second.retrieve("c" * 32) is not None


# nginx, for real


@pytest.fixture
def behind_nginx(core: Core, tmp_path: Path, dialogue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    """The gateway behind nginx as deploy/nginx.conf says, with ports and certificate of our own."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        pytest.skip("nginx is not installed")
    inside, outside, plain = free_port(), free_port(), free_port()
    certificate(tmp_path, _in_a_month())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))
    told = (DEPLOY / "nginx.conf").read_text()
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{inside}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{outside} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("talk.council.example", "localhost"),
        ("/etc/ssl/earshot/fullchain.pem", str(tmp_path / "tls.pem")),
        ("/etc/ssl/earshot/privkey.pem", str(tmp_path / "tls.pem")),
        ("/var/log/nginx/", f"{tmp_path}/"),
    ):
        assert old in told
        told = told.replace(old, new)
    told = "\n".join(line for line in told.splitlines() if "listen [::]" not in line)
    temporary = " ".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; "
        f"{'user root;' if os.geteuid() == 0 else ''}"
        f"events {{}} http {{ {temporary} {told} }}"
    )
    command = [program, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    # As the command serve does it.
    house = Core(
        core.settings.copy(update={"public_url": f"https://localhost:{outside}", "secure_cookies": True}),
        core.content,
        core.store,
    )
    server = uvicorn.Server(
        uvicorn.Config(create_app(house, dialogue), port=inside, log_config=None, access_log=False, ws="none",
                       forwarded_allow_ips=house.settings.trusted_proxies, timeout_graceful_shutdown=1)
    )  # fmt: skip
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    proxy = subprocess.Popen(command)
    try:
        _wait_for(f"https://localhost:{outside}/healthz")
        yield house
    finally:
        proxy.terminate()
        proxy.wait()
        server.should_exit = True
        serving.join()


def test_a_conversation_through_nginx_is_live_and_whole(behind_nginx: Core) -> None:
    url = behind_nginx.settings.url
    assert not list(way_in.public_address(behind_nginx))
    with httpx.Client(base_url=url, verify=ssl.create_default_context(), headers={"Origin": url}) as person:
        assert person.post("/api/conversations").status_code == 201
        seen: list[str] = []
        with person.stream("GET", "/api/events", timeout=20) as stream:
            lines = stream.iter_lines()
            threading.Timer(
                0.3, lambda: person.post("/api/messages", json={"client_id": "1", "text": "hello there"})
            ).start()
            began = time.monotonic()
            for line in lines:
                if line.startswith("data:"):
                    seen += [str(json.loads(line[5:]).get("text"))]
                if "Tell me more." in seen:
                    break  # the stream is still open: it came through unbuffered
        assert "hello there" in seen and time.monotonic() - began < 15
        too_much = person.post("/api/messages", content=b"x" * 2_000_000)
        assert too_much.status_code == 413
    assert httpx.get(f"{url}/healthz", verify=ssl.create_default_context()).http_version == "HTTP/1.1"


def _wait_for(url: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            if httpx.get(url, verify=ssl.create_default_context()).status_code == 200:
                return
        except httpx.HTTPError:
            assert time.monotonic() < end, "nginx and gateway did not come up"
        time.sleep(0.2)


def _in_a_month() -> datetime:
    return datetime.now(timezone.utc) + timedelta(days=30)
