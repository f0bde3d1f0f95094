"""Checks of what runs and what was built: processes, model, encoder, postcodes, disk."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from sqlalchemy.engine import make_url

from bot.areas.finder import Areas
from bot.bootstrap import Core
from bot.cache import cache_dir
from bot.nlu.base_model import EncoderError
from bot.nlu.encoder_build import built_base
from bot.operate.doctor.finding import Finding
from bot.operate.model import model_path
from bot.risk.statistical_layer import ADAPTER

#: Seconds a process of ours may take to answer.
PATIENCE = 5.0
#: Bytes that should be free: a backup, a new model and some weeks of growth.
LEAST_FREE = 2 * 1024**3


def processes(house: Core) -> Iterator[Finding]:
    """Rasa, the action server and the gateway answer."""
    settings = house.settings
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    for name, unit, url in (
        ("Rasa", "rasa", settings.rasa_url),
        ("The action server", "actions", f"{settings.actions_url}/health"),
    ):
        if _get(url) is None:
            yield Finding(
                f"{name} does not answer.",
                f"Start it, and look at its log: journalctl -u earshot-{unit}, or the terminal of make run.",
            )
    ready = _get(f"http://{host}:{settings.port}/readyz")
    if ready is None:
        yield Finding(
            "The gateway does not answer.",
            "Start it, and look at its log: journalctl -u earshot-gateway, or the terminal of make run.",
        )
        return
    for part in ("database", "model"):
        if ready.get(part) is False:
            yield Finding(f"The gateway says that its {part} is not ready.", "Its log says why.")
    telegram = ready.get("telegram")
    if isinstance(telegram, dict) and not telegram.get("ok"):
        yield Finding(
            f"Telegram is on, and no updates come in ({telegram.get('status')}).",
            "Check the token, and that only one Earshot uses it.",
        )


def reachable_from_outside(house: Core) -> Iterator[Finding]:
    """Nobody but this machine reaches Rasa and the action server, whatever the settings say."""
    for name, url in (("Rasa", house.settings.rasa_url), ("The action server", house.settings.actions_url)):
        port = urlsplit(url).port or 80
        if any(_open(address, port) for address in own_addresses()):
            yield Finding(
                f"{name} answers at an address of this machine that others can reach.",
                "Start both as Procfile does, with -i 127.0.0.1 and SANIC_HOST=127.0.0.1.",
            )


def own_addresses() -> list[str]:
    """This machine's addresses but loopback, as far as it knows its own name."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, proto=socket.IPPROTO_TCP)
    except OSError:
        return []
    addresses = {str(entry[4][0]) for entry in found}
    return sorted(one for one in addresses if not one.startswith("127.") and one != "::1")


def model(_house: Core) -> Iterator[Finding]:
    """The Rasa model was trained from the words and rules that are here now."""
    if not model_path().exists():
        yield Finding(
            "There is no Rasa model of the present words and rules.",
            "earshot train, then start Rasa again. EARSHOT_CACHE must name the folder Rasa reads.",
        )


def encoders(_house: Core) -> Iterator[Finding]:
    """The sentence encoder and the one tuned for risk are there and unchanged."""
    for adapter in (None, ADAPTER):
        try:
            built_base(adapter=adapter)
        except (EncoderError, OSError) as error:
            yield Finding(f"A sentence encoder cannot be used. {error}", "earshot setup --rebuildable")


def postcodes(_house: Core) -> Iterator[Finding]:
    """The list of postcodes is there."""
    if problem := Areas.open().problem:
        yield Finding(f"Nobody's council can be found by postcode. {problem}", "earshot areas build")


def disk(house: Core, least: int = LEAST_FREE) -> Iterator[Finding]:
    """There is room where files are written."""
    url = make_url(house.settings.database_url)
    folders = {"the cache": cache_dir(), "temporary files": Path(tempfile.gettempdir())}
    if url.get_backend_name() == "sqlite" and url.database:
        folders["the database"] = Path(url.database).parent
    if house.settings.backup_folder:
        folders["backups"] = Path(house.settings.backup_folder)
    for name, folder in folders.items():
        if folder.exists() and shutil.disk_usage(folder).free < least:
            yield Finding(
                f"Less than {least / 1024**3:.0f} GiB are free for {name}.",
                "Make room; a full disk loses words.",
            )


def _get(url: str) -> dict[str, object] | None:
    """What answers there, as JSON if it is; None when nothing does."""
    try:
        answer = httpx.get(url, timeout=PATIENCE)
    except httpx.HTTPError:
        return None
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1.0):
            return True
    except OSError:
        return False
