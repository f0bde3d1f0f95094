"""The sentence encoder as an ONNX graph, built from its weights alone.

BERT (Devlin et al. 2019) in the size published as MiniLM-L6: six layers, twelve heads, 384 wide, exact
gelu; then the mean over the real tokens and unit length, as the sentence-transformers project trained
it. A tuned one may weigh the tokens instead (``pool.weight``). Written with ``onnx.helper`` so that no
deep-learning framework is needed to set Earshot up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bot.nlu.base_model import POOL, RANGE
from bot.nlu.smoothing import channel_scales

if TYPE_CHECKING:
    import onnx

HEADS = 12
WIDTH = 384
LAYER_NORM_EPSILON = 1e-12  # BERT's; ONNX's default is 1e-5
_OPSET = 17  # the first with LayerNormalization


class _Graph:
    """Nodes and constants in the order they are named; each call gives the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, name: str, outputs: int = 1, **attributes: object) -> list[str]:
        from onnx import helper

        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return names

    def one(self, kind: str, *inputs: str, name: str, **attributes: object) -> str:
        return self.add(kind, *inputs, name=name, **attributes)[0]

    def ints(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, dtype=np.int64))

    def dense(
        self, x: str, name: str, weight: np.ndarray, bias: np.ndarray, largest: np.ndarray | None = None
    ) -> str:
        """``x @ weight + bias``; weight is [in, out]. ``largest`` of each input smooths it for 8 bits."""
        if largest is not None:
            scales = channel_scales(weight, largest)
            weight = weight * scales[:, None]
            x = self.one("Mul", x, self.constant(f"{name}.smooth", 1 / scales), name=f"{name}.smoothed")
        product = self.one("MatMul", x, self.constant(f"{name}.weight", weight), name=f"{name}.matmul")
        return self.one("Add", product, self.constant(f"{name}.bias", bias), name=f"{name}.out")

    def layer_norm(self, x: str, name: str, weights: Mapping[str, np.ndarray]) -> str:
        scale = self.constant(f"{name}.weight", weights[f"{name}.weight"])
        shift = self.constant(f"{name}.bias", weights[f"{name}.bias"])
        return self.one("LayerNormalization", x, scale, shift, name=name, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def gelu(self, x: str, name: str) -> str:
        """Exact gelu; onnxruntime fuses this pattern into one kernel."""
        scaled = self.one("Div", x, "sqrt2", name=f"{name}.scaled")
        erf = self.one("Erf", scaled, name=f"{name}.erf")
        moved = self.one("Add", erf, "one", name=f"{name}.moved")
        product = self.one("Mul", x, moved, name=f"{name}.product")
        return self.one("Mul", product, "half", name=name)


def build_graph(weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """The whole encoder as one model.

    Inputs ``input_ids`` and ``attention_mask``, int64 [batch, sequence]; output ``embedding``, float32
    [batch, 384], each row of length 1. Weights with ``heads.weight`` [n, 384] and ``heads.bias`` give a
    second output, ``scores``, float32 [batch, n]; with ``pool.weight`` [12, 384] the tokens are weighed.

    Args:
        weights: the published arrays by their published names; an adapter is merged into them before.

    Raises:
        KeyError: an array is missing.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph()
    for name, value in {"sqrt2": 2**0.5, "one": 1.0, "half": 0.5, "tiny": 1e-9}.items():
        graph.constant(name, np.array(value, dtype=np.float32))
    mask = graph.one("Cast", "attention_mask", name="mask", to=TensorProto.FLOAT)
    x = _embed(graph, weights)
    hidden_from_attention = _attention_bias(graph, mask)
    for layer in range(count_layers(weights)):
        x = _layer(graph, x, hidden_from_attention, f"encoder.layer.{layer}", weights)
    pooled = _weighed(graph, x, mask, weights[POOL]) if POOL in weights else _mean(graph, x, mask)
    _unit_length(graph, pooled)
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])]
    if "heads.weight" in weights:
        _heads(graph, weights)
        size = len(weights["heads.bias"])
        outputs.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", size]))

    shape = ["batch", "sequence"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT64, shape),
            ],
            outputs,
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        producer_name="earshot",
    )
    model.ir_version = 8  # the one that came with opset 17: every later onnxruntime reads it
    checker.check_model(model)
    return model


def count_layers(weights: Mapping[str, np.ndarray]) -> int:
    """How many transformer layers the weights hold."""
    return len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})


def _embed(graph: _Graph, weights: Mapping[str, np.ndarray]) -> str:
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    # Every message is one segment, so the segment's vector is folded into the positions.
    positions = graph.constant(
        "positions",
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0],
    )
    word = graph.one("Gather", words, "input_ids", name="word")
    size = graph.one("Shape", "input_ids", name="size", start=1, end=2)
    axis = graph.ints("first_axis", 0)
    position = graph.one("Slice", positions, graph.ints("from", 0), size, axis, name="position")
    total = graph.one("Add", word, position, name="embeddings.sum")
    return graph.layer_norm(total, "embeddings.LayerNorm", weights)


def _attention_bias(graph: _Graph, mask: str) -> str:
    """0 where a token is real and -10000 where it is padding, [batch, 1, 1, sequence]."""
    padding = graph.one("Sub", "one", mask, name="padding")
    large = graph.constant("large", np.array(-10_000.0, dtype=np.float32))
    bias = graph.one("Mul", padding, large, name="padding.bias")
    return graph.one("Unsqueeze", bias, graph.ints("middle_axes", 1, 2), name="attention.bias")


def _layer(graph: _Graph, x: str, bias: str, name: str, weights: Mapping[str, np.ndarray]) -> str:
    attended = _attention(graph, x, bias, f"{name}.attention", weights)
    wide = _dense(graph, attended, f"{name}.intermediate.dense", weights)
    wide = graph.gelu(wide, f"{name}.gelu")
    narrow = _dense(graph, wide, f"{name}.output.dense", weights)
    total = graph.one("Add", narrow, attended, name=f"{name}.sum")
    return graph.layer_norm(total, f"{name}.output.LayerNorm", weights)


def _attention(graph: _Graph, x: str, bias: str, name: str, weights: Mapping[str, np.ndarray]) -> str:
    # Query, key and value in one multiplication: the input is then quantised once, not three times.
    parts = [f"{name}.self.{part}" for part in ("query", "key", "value")]
    packed = np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1)
    packed_bias = np.concatenate([weights[f"{part}.bias"] for part in parts])
    # The division by the root of the head's width is folded into the query.
    scale = np.float32((WIDTH // HEADS) ** -0.5)
    packed[:, :WIDTH] *= scale
    packed_bias[:WIDTH] *= scale
    together = graph.dense(x, f"{name}.qkv", packed, packed_bias, weights.get(f"{name}.qkv{RANGE}"))

    heads = graph.ints(f"{name}.heads", 0, 0, 3 * HEADS, WIDTH // HEADS)
    split = graph.one("Reshape", together, heads, name=f"{name}.split_heads")
    by_head = graph.one("Transpose", split, name=f"{name}.by_head", perm=[0, 2, 1, 3])
    query, key, value = graph.add(
        "Split", by_head, graph.ints(f"{name}.thirds", HEADS, HEADS, HEADS), name=f"{name}.part",
        outputs=3, axis=1,
    )  # fmt: skip
    key = graph.one("Transpose", key, name=f"{name}.key_t", perm=[0, 1, 3, 2])
    scores = graph.one("MatMul", query, key, name=f"{name}.scores")
    scores = graph.one("Add", scores, bias, name=f"{name}.masked")
    shares = graph.one("Softmax", scores, name=f"{name}.softmax", axis=-1)
    mixed = graph.one("MatMul", shares, value, name=f"{name}.mixed")
    mixed = graph.one("Transpose", mixed, name=f"{name}.by_token", perm=[0, 2, 1, 3])
    mixed = graph.one("Reshape", mixed, graph.ints(f"{name}.width", 0, 0, WIDTH), name=f"{name}.joined")

    projected = _dense(graph, mixed, f"{name}.output.dense", weights)
    total = graph.one("Add", projected, x, name=f"{name}.sum")
    return graph.layer_norm(total, f"{name}.output.LayerNorm", weights)


def _dense(graph: _Graph, x: str, name: str, weights: Mapping[str, np.ndarray]) -> str:
    weight, bias = weights[f"{name}.weight"].T, weights[f"{name}.bias"]
    return graph.dense(x, name, weight, bias, weights.get(f"{name}{RANGE}"))


def _weighed(graph: _Graph, x: str, mask: str, looks: np.ndarray) -> str:
    """Each head's part of the vector as a mean over the tokens, weighed by how much each matters to it."""
    weight = graph.constant(POOL, looks.T.astype(np.float32))
    looked = graph.one("MatMul", x, weight, name="pool.looked")
    padding = graph.one("Unsqueeze", "padding.bias", graph.ints("last_axis", -1), name="pool.padding")
    real = graph.one("Add", looked, padding, name="pool.real")
    shares = graph.one("Softmax", real, name="pool.shares", axis=1)
    shares = graph.one("Unsqueeze", shares, "last_axis", name="pool.share_column")
    parts = graph.ints("pool.heads", 0, 0, HEADS, WIDTH // HEADS)
    by_head = graph.one("Reshape", x, parts, name="pool.by_head")
    kept = graph.one("Mul", by_head, shares, name="pool.kept")
    total = graph.one("ReduceSum", kept, graph.ints("token_axis", 1), name="pool.total", keepdims=0)
    return graph.one("Reshape", total, graph.ints("pool.width", 0, WIDTH), name="pool.joined")


def _mean(graph: _Graph, x: str, mask: str) -> str:
    """The mean over real tokens."""
    column = graph.one("Unsqueeze", mask, graph.ints("last_axis", -1), name="mask.column")
    kept = graph.one("Mul", x, column, name="pool.kept")
    axis = graph.ints("token_axis", 1)
    total = graph.one("ReduceSum", kept, axis, name="pool.total", keepdims=0)
    count = graph.one("ReduceSum", mask, axis, name="pool.count", keepdims=1)
    count = graph.one("Max", count, "tiny", name="pool.at_least")
    return graph.one("Div", total, count, name="pool.mean")


def _unit_length(graph: _Graph, pooled: str) -> None:
    """The vector at length 1, into ``embedding``."""
    length = graph.one("ReduceL2", pooled, name="pool.length", axes=[-1], keepdims=1)
    length = graph.one("Max", length, "tiny", name="pool.length_at_least")
    graph.one("Div", pooled, length, name="embedding")


def _heads(graph: _Graph, weights: Mapping[str, np.ndarray]) -> None:
    # Gemm, not MatMul: the quantiser leaves it alone, and the last step keeps all its 32 bits.
    weight = graph.constant("heads.weight", weights["heads.weight"].astype(np.float32))
    bias = graph.constant("heads.bias", weights["heads.bias"].astype(np.float32))
    graph.one("Gemm", "embedding", weight, bias, name="scores", transB=1)
