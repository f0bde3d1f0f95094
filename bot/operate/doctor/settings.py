"""Checks of the settings: names nobody reads, what production refuses, what does not fit together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from bot.bootstrap import Core
from bot.operate.doctor.finding import Finding
from bot.operate.safe_to_start import refuse_unless_safe
from bot.settings import Settings, SettingsError, read_secrets_file, variables

#: Variables of ours that are not settings of a running house: folders, developers' tools, and what
#: ``bot.operate.run.environment`` tells the processes.
OTHERS = frozenset(
    {
        "EARSHOT_VAR",
        "EARSHOT_CACHE",
        "EARSHOT_UV",
        "EARSHOT_TRAIN_PYTHON",
        "EARSHOT_MODEL",
        "EARSHOT_RASA_PORT",
        "EARSHOT_ACTIONS_PORT",
        "EARSHOT_ACTIONS_WEBHOOK",
    }
)


def unknown_names(environ: Mapping[str, str]) -> Iterator[Finding]:
    """A misspelt variable is silently its default."""
    known = set(variables()) | OTHERS
    for name in sorted(environ):
        if name.upper().startswith("EARSHOT_") and name.upper() not in known:
            yield Finding(
                f"{name} is set, and nothing reads it.", "Is it misspelt? earshot settings lists all."
            )


def names(_house: Core) -> Iterator[Finding]:
    """The same for this process."""
    yield from unknown_names({**read_secrets_file(), **os.environ})


def safe_to_start(house: Core) -> Iterator[Finding]:
    """What the gateway would refuse to start with."""
    try:
        refuse_unless_safe(house.settings, house.content)
    except SettingsError as error:
        yield Finding(f"The gateway refuses to start. {error}", "docs/first_run.md has the steps in order.")


def fits_together(house: Core) -> Iterator[Finding]:
    """Address, TLS, cookies and proxy agree."""
    settings = house.settings
    address = urlsplit(settings.public_url)
    encrypted = address.scheme == "https"
    if settings.public_url and address.scheme not in ("http", "https"):
        yield Finding("EARSHOT_PUBLIC_URL is no web address.", "It begins with https://.")
    elif encrypted and not settings.secure_cookies:
        yield Finding(
            "The public address is https, but cookies may travel without TLS.", "EARSHOT_SECURE_COOKIES=true"
        )
    elif settings.secure_cookies and not encrypted:
        yield Finding(
            "Cookies travel over TLS only, but the public address is not https: nobody can chat or sign in.",
            "Put TLS in front, and its address in EARSHOT_PUBLIC_URL.",
        )
    if address.scheme == "http" and not is_loopback(address.hostname or ""):
        yield Finding("The public address has no TLS.", "Put TLS in front: deploy/ has examples.")
    if address.path not in ("", "/"):
        yield Finding(
            "EARSHOT_PUBLIC_URL has a path; Earshot lives at the root of a host name.",
            "Give it a host name of its own, such as https://talk.council.example.",
        )
    if not is_loopback(settings.host):
        if not settings.public_url:
            yield Finding(
                "The gateway listens beyond this machine, and has no public address for its links.",
                "Set EARSHOT_PUBLIC_URL to the address people use.",
            )
        if encrypted and all(is_loopback(one.split("/")[0]) for one in settings.trusted_proxies.split(",")):
            yield Finding(
                "The proxy seems to be elsewhere and is not trusted: everybody counts as one caller.",
                "Name its address in EARSHOT_TRUSTED_PROXIES.",
            )


def inner_addresses(house: Core) -> Iterator[Finding]:
    """Rasa and the action server have no authentication, so they belong on loopback."""
    for name in ("EARSHOT_RASA_URL", "EARSHOT_ACTIONS_URL"):
        if not is_loopback(urlsplit(_value(house.settings, name)).hostname or ""):
            yield Finding(
                f"{name} is not on loopback. Whoever reaches it can speak as anybody.",
                "Run it on this machine (or in this machine's network namespace) at 127.0.0.1.",
            )


def logo(house: Core) -> Iterator[Finding]:
    """A picture that is named is there."""
    if house.settings.logo and not Path(house.settings.logo).is_file():
        yield Finding(
            "The picture that EARSHOT_LOGO names is not there.", "Correct the path, or leave it empty."
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, seen from itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _value(settings: Settings, variable: str) -> str:
    return str(getattr(settings, variables()[variable]))
