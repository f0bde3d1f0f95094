"""Reads ``requirements.lock``: every package with its release, where it is wanted, and its files' hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bot.settings import ROOT

LOCK = ROOT / "requirements.lock"
_PACKAGE = re.compile(
    r"^(?P<name>[\w.-]+)(\[[\w,-]+\])?==(?P<version>[^\s;\\]+)( ; (?P<marker>[^\\\n]+?))? ?\\?$"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


#: Stands in :attr:`Locked.wanted_by` for pyproject.toml.
OURSELVES = ""


class LockError(Exception):
    """A line of the lock is none that uv writes."""


@dataclass(frozen=True)
class Locked:
    """One package of the lock.

    ``hashes`` are SHA-256, of each file that may be installed for it; ``wanted_by`` the packages that need
    it, or :data:`OURSELVES`.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]


def locked(path: Path = LOCK) -> list[Locked]:
    """Every package of the lock, in its order.

    Raises:
        LockError: a package without a hash, or a line that is none of uv's.
    """
    found: list[Locked] = []
    for block in re.split(r"\n(?=[^\s#])", path.read_text(encoding="utf-8")):
        first, *_ = block.splitlines()
        if first.startswith("#"):
            continue
        told = _PACKAGE.match(first)
        hashes = tuple(_HASH.findall(block))
        if not told or not hashes:
            raise LockError(f"{path.name}: cannot be read at '{first[:60]}'. Make it anew: make lock")
        via = re.findall(r"^ +# +(?:via )?(?!via$)(.+)$", block, re.MULTILINE)
        wanted_by = tuple(OURSELVES if one.startswith("earshot ") else one for one in via)
        found.append(Locked(told["name"], told["version"], (told["marker"] or "").strip(), hashes, wanted_by))
    return found


def normal(name: str) -> str:
    """A package's name as registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
