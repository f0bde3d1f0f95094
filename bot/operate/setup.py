"""The steps of a set-up. Each may be run again at any time and does only what is missing."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet

from bot.bootstrap import Core
from bot.desk.sign_in import make_link
from bot.operate.safe_to_start import DEMO_MARK
from bot.rota import DUTY_WORKER
from bot.settings import ROOT, secrets_file
from bot.store.migrate import migrate
from bot.store.rota_file import load_rota

#: The rota a demo starts with.
DEMO_ROTA = ROOT / "data" / "rota.example.yml"


def make_secrets() -> Path:
    """Generate the secrets of a demo, once, readable by this user only."""
    path = secrets_file()
    if path.exists() or "EARSHOT_KEYS" in os.environ:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    lookup_key = f"{DEMO_MARK}{secrets.token_urlsafe(48)}"  # so that production knows it for what it is
    text = f"EARSHOT_KEYS={Fernet.generate_key().decode()}\nEARSHOT_LOOKUP_KEY={lookup_key}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path


def prepare_database(core: Core) -> None:
    """Migrate the database, and give an empty one the demo's people."""
    migrate(core.store)
    with core.uow() as uow:
        if not uow.staff():
            load_rota(uow, DEMO_ROTA)
            uow.commit()


def demo_links(core: Core) -> list[tuple[str, str]]:
    """``(name, address)`` of a one-time sign-in for each duty worker whose shift it is."""
    now = core.now()
    with core.uow() as uow:
        people = [p for p in uow.rota().everyone_on_duty(now) if p.role == DUTY_WORKER]
        links = [
            (p.name, f"{core.settings.url}/desk/sign-in?token={make_link(uow, p.id, now)}") for p in people
        ]
        uow.commit()
    return links
