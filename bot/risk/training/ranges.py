"""Measures how large an encoder's numbers get, which :mod:`bot.nlu.smoothing` needs to read it in 8 bits."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.nlu.base_model import RANGE, load_weights, merge_adapter
from bot.nlu.encoder import read_tokenizer
from bot.nlu.encoder_graph import build_graph

if TYPE_CHECKING:
    import tokenizers

__all__ = ["keep_ranges", "measure_ranges"]

#: Messages measured on.
MEASURED_ON = 1_000


def keep_ranges(adapter: Path, base: Path, rows: Sequence[Mapping[str, Any]], seed: int) -> None:
    """Put the ranges into the adapter's file, beside what it was trained to be.

    Args:
        adapter: the file, as the trainer wrote it.
        base: folder of the weights it was trained for.
        rows: lines as :func:`bot.risk.training.data.prepare` writes them.
        seed: of the choice of messages.
    """
    from safetensors.numpy import load_file, save_file

    texts = [row["copies"][0] for row in rows]
    random.Random(seed).shuffle(texts)  # noqa: S311 - a choice of messages, not a secret
    merged = merge_adapter(load_weights(base), adapter)
    measured = measure_ranges(merged, read_tokenizer(base), texts[:MEASURED_ON])
    save_file({**load_file(adapter), **measured}, adapter)


def measure_ranges(
    weights: Mapping[str, np.ndarray], tokenizer: tokenizers.Tokenizer, texts: Sequence[str]
) -> dict[str, np.ndarray]:
    """The largest input of every channel of every dense layer over ``texts``, by ``<layer>.range``, float16.

    Args:
        weights: of the encoder, its adapter merged in.
        tokenizer: cuts texts at the length the encoder reads.
        texts: messages as the encoder reads them.
    """
    import onnxruntime
    from onnx import TensorProto, helper

    plain = {name: array for name, array in weights.items() if not name.endswith(RANGE)}
    model = build_graph(plain)
    multiplied = [node for node in model.graph.node if node.name.endswith(".matmul")]
    inputs = {node.name.removesuffix(".matmul") + RANGE: node.input[0] for node in multiplied}
    watched = sorted(set(inputs.values()))
    for name in watched:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    largest: dict[str, np.ndarray] = {}
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        seen = session.run(watched, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, values in zip(watched, seen, strict=True):
            top = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, top), top)
    return {layer: largest[name].astype(np.float16) for layer, name in inputs.items()}
