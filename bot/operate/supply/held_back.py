"""Packages that Rasa's own requirements keep from moving on, from its metadata and the lock.

Rasa 3.6 was the last open release and caps what it needs: where a cap is, a mended release above it cannot
be installed. What cannot be mended is contained: see docs/security.md.
"""

from __future__ import annotations

from importlib.metadata import requires

from packaging.markers import default_environment
from packaging.requirements import Requirement

from bot.operate.supply.lock import locked, normal

#: The packages whose caps count: what the Rasa server and the action server are.
FROM = ("rasa", "rasa-sdk", "sanic")


def held_back() -> dict[str, tuple[str, str]]:
    """``name -> (release in the lock, "rasa <3.10")`` of every package with a cap."""
    releases = {normal(one.name): one.version for one in locked()}
    found: dict[str, tuple[str, str]] = {}
    for by in FROM:
        for line in requires(by) or ():
            wanted = Requirement(line)
            name = normal(wanted.name)
            if name not in releases or (wanted.marker and not wanted.marker.evaluate(_where())):
                continue
            caps = [str(one) for one in wanted.specifier if one.operator in ("<", "<=", "==", "~=")]
            if caps and not (by == "rasa" and name == "rasa-sdk"):
                found.setdefault(name, (releases[name], f"{by} {','.join(sorted(caps))}"))
    return dict(sorted(found.items()))


def table() -> str:
    """The same as a Markdown table."""
    rows = [f"| {name} | {release} | {cap} |" for name, (release, cap) in held_back().items()]
    return "\n".join(["| package | here | held by |", "|---|---|---|", *rows])


def _where() -> dict[str, str]:
    # The same on every machine that makes the table.
    return {**default_environment(), "sys_platform": "linux", "platform_machine": "x86_64",
            "platform_system": "Linux", "extra": ""}  # fmt: skip
