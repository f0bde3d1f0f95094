"""Builds the sentence encoder Earshot runs, once, from the published weights.

The result is one folder in the cache, ``encoder-<hash>``: ``model.onnx`` (8-bit, 23 MB),
``tokenizer.json``, the licence and notice of the weights, and ``manifest.json`` with the sha256 of each.
The hash in the name covers everything the result depends on, so a change builds beside the old one.
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
    put_in_place,
    say,
    sha256_of,
)

if TYPE_CHECKING:
    import numpy as np

#: Raised when the graph or its quantisation changes: encoders built before are then built again.
RECIPE = 1

_LEGAL = ("LICENSE", "NOTICE")
_FILES = ("model.onnx", "tokenizer.json", *_LEGAL)
_CHANGES = """
Changed for Earshot: the weights were converted to an ONNX graph and quantised to 8 bits.
"""


class NotBuiltError(EncoderError):
    """The encoder is not in the cache yet."""


def built_base(cache: Path | None = None) -> Path:
    """The folder of the base encoder, already built; never fetches or builds.

    Raises:
        NotBuiltError: it is not there.
        TamperedError: a file in it has changed since it was built.
    """
    target = _target(cache or cache_dir())
    if not target.is_dir():
        raise NotBuiltError(
            f"The sentence encoder is missing ({target}). Run the set-up (make run, or earshot setup) "
            "once with a network; if it ran before, check that EARSHOT_CACHE names the same folder."
        )
    _verify(target)
    return target


def build_base(cache: Path | None = None, progress: Progress | None = None) -> Path:
    """The folder of the base encoder, built first when it is missing.

    Takes some seconds and a network the first time; afterwards it only checks the files.

    Args:
        cache: where to keep it; :func:`bot.cache.cache_dir` by default.
        progress: called with one short line at each step.

    Raises:
        FetchError: the weights could not be fetched.
        TamperedError: a fetched or built file is not what it should be.
        OSError: the cache cannot be written.
    """
    cache = cache or cache_dir()
    target = _target(cache)
    if not target.is_dir():
        base = fetch_base(cache, progress)
        _write_encoder(target, load_weights(base), base, progress)
    _verify(target)
    return target


def _identity() -> dict[str, object]:
    return {"recipe": RECIPE, "weights_sha256": WEIGHTS_SHA256, "tokenizer_sha256": TOKENIZER_SHA256}


def _target(cache: Path) -> Path:
    name = hashlib.sha256(json.dumps(_identity(), sort_keys=True).encode()).hexdigest()
    return cache / f"encoder-{name[:16]}"


def _write_encoder(
    target: Path, weights: Mapping[str, np.ndarray], base: Path, progress: Progress | None
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
        manifest = {**_identity(), "files": {file: sha256_of(work / file) for file in _FILES}}
        (work / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        put_in_place(work, target)
    say(progress, "The language model is ready")


def _quantise(weights: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the graph of ``weights`` with 8-bit multiplications and word vectors.

    The weights use 7 of the 8 bits (``reduce_range``): without it, processors that lack VNNI overflow,
    and one child's message would be read differently on two machines. Measured against 8 bits it costs
    nothing: cosine to the 32-bit encoder 0.990 on average both ways.
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
