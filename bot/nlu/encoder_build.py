"""Builds the sentence encoder Earshot runs, once, from the published weights.

The result is one folder in the cache, ``encoder-<hash>``: ``model.onnx`` (8-bit, 23 MB),
``tokenizer.json``, the licence and notice of the weights, and ``manifest.json`` with the sha256 of each.
The hash in the name covers everything the result depends on, so a change builds beside the old one. An
encoder tuned by an adapter is built the same way, into a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cache import cache_dir
from bot.nlu.base_model import (
    TOKENIZER_SHA256,
    WEIGHTS_SHA256,
    EncoderError,
    Progress,
    TamperedError,
    fetch_base,
    load_weights,
    merge_adapter,
    put_in_place,
    say,
    sha256_of,
)

if TYPE_CHECKING:
    import numpy as np

#: Raised when graph, smoothing or quantisation change: encoders built before are then built again.
RECIPE = 1

_LEGAL = ("LICENSE", "NOTICE")
_FILES = ("model.onnx", "tokenizer.json", *_LEGAL)
_CHANGES = """
Changed for Earshot: the weights were converted to an ONNX graph and quantised to 8 bits.
"""


class NotBuiltError(EncoderError):
    """The encoder is not in the cache yet."""


def built_base(cache: Path | None = None, adapter: Path | None = None) -> Path:
    """The folder of the base encoder, already built; never fetches or builds.

    Args:
        cache: where to look; :func:`bot.cache.cache_dir` by default.
        adapter: the encoder tuned by this file, instead of the base encoder.

    Raises:
        NotBuiltError: it is not there.
        TamperedError: a file in it has changed since it was built.
        EncoderError: the adapter is missing.
    """
    target = _target(cache or cache_dir(), adapter)
    if not target.is_dir():
        raise NotBuiltError(
            f"The sentence encoder is missing ({target}). Run the set-up (make run, or earshot setup) "
            "once with a network; if it ran before, check that EARSHOT_CACHE names the same folder."
        )
    _verify(target)
    return target


def build_base(
    cache: Path | None = None, progress: Progress | None = None, adapter: Path | None = None
) -> Path:
    """The folder of the base encoder, built first when it is missing.

    Takes some seconds and a network the first time; afterwards it only checks the files.

    Args:
        cache: where to keep it; :func:`bot.cache.cache_dir` by default.
        progress: called with one short line at each step.
        adapter: a trained adapter to merge into the weights first (:func:`bot.nlu.base_model.merge_adapter`).

    Raises:
        EncoderError: the adapter is missing or no adapter.
        FetchError: the weights could not be fetched.
        TamperedError: a fetched or built file is not what it should be.
        OSError: the cache cannot be written.
    """
    cache = cache or cache_dir()
    target = _target(cache, adapter)
    if not target.is_dir():
        base = fetch_base(cache, progress)
        weights = load_weights(base)
        if adapter is not None:
            weights = merge_adapter(weights, adapter)
        _write_encoder(target, weights, base, _identity(adapter), progress)
    _verify(target)
    return target


def _identity(adapter: Path | None = None) -> dict[str, object]:
    identity: dict[str, object] = {
        "recipe": RECIPE,
        "weights_sha256": WEIGHTS_SHA256,
        "tokenizer_sha256": TOKENIZER_SHA256,
    }
    if adapter is not None:
        if not adapter.is_file():
            raise EncoderError(
                f"{adapter} is missing. Restore it from the repository, or train it: earshot train-encoder."
            )
        identity["adapter_sha256"] = sha256_of(adapter)
    return identity


def _target(cache: Path, adapter: Path | None = None) -> Path:
    name = hashlib.sha256(json.dumps(_identity(adapter), sort_keys=True).encode()).hexdigest()
    return cache / f"encoder-{name[:16]}"


def _write_encoder(
    target: Path,
    weights: Mapping[str, np.ndarray],
    base: Path,
    identity: Mapping[str, object],
    progress: Progress | None,
) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as name:
        work = Path(name) / "encoder"
        work.mkdir()
        say(progress, "Building the language model for this computer")
        _quantise(weights, work / "model.onnx")
        for file in ("tokenizer.json", *_LEGAL):
            shutil.copyfile(base / file, work / file)
        with (work / "NOTICE").open("a", encoding="utf-8") as notice:  # Apache-2.0, section 4 (b)
            notice.write(_CHANGES)
        manifest = {**identity, "files": {file: sha256_of(work / file) for file in _FILES}}
        (work / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        put_in_place(work, target)
    say(progress, "The language model is ready")


def _quantise(weights: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the graph of ``weights`` with 8-bit multiplications and word vectors.

    The weights use 7 of the 8 bits (``reduce_range``): without it, processors that lack VNNI overflow,
    and one child's message would be read differently on two machines. Measured against 8 bits it costs
    nothing: cosine to the 32-bit encoder 0.990 on average both ways. A tuned encoder is smoothed first
    (:mod:`bot.nlu.smoothing`).
    """
    # Half a second of imports that only a build needs.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    from bot.nlu.encoder_graph import build_graph

    with _quiet():
        quantize_dynamic(
            build_graph(weights),
            path,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantiser's advice to optimise first: onnxruntime optimises when it loads."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _verify(folder: Path) -> None:
    remedy = f"Delete the folder {folder} and run the set-up again."
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        listed = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TamperedError(f"{folder / 'manifest.json'} cannot be read. {remedy}") from error
    for name in _FILES:
        path = folder / name
        if not path.is_file() or sha256_of(path) != listed.get(name):
            raise TamperedError(f"{path} has changed since it was built. {remedy}")
