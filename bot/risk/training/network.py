"""The encoders in torch, frozen, with a low-rank adapter to be tuned (Hu et al. 2021) and heads.

Two are known by their published weights: MiniLM-L6 (BERT, Devlin et al. 2019), the one Earshot runs, and
MPNet (Song et al. 2020), five times its size, which teaches it. Needs torch; imports nothing else of Earshot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LEVELS, CATEGORIES, ABOUTS = 4, 24, 4
OUTPUTS = LEVELS + CATEGORIES + ABOUTS
MAX_TOKENS = 128
#: How the adapter's file calls what decides which words count; bot/nlu/encoder_graph.py builds it.
POOL = "pool.weight"


@dataclass(frozen=True)
class Shape:
    """How an encoder is made, and what its parts are called in the published file."""

    width: int
    heads: int
    layers: int
    query_key_value: tuple[str, str, str]
    joined: str
    attention_norm: str
    epsilon: float
    first_position: int
    padding: int

    @property
    def dense(self) -> tuple[str, ...]:
        """The dense parts of one layer."""
        return (*self.query_key_value, self.joined, "intermediate.dense", "output.dense")


BERT = Shape(
    width=384, heads=12, layers=6,
    query_key_value=("attention.self.query", "attention.self.key", "attention.self.value"),
    joined="attention.output.dense", attention_norm="attention.output.LayerNorm",
    epsilon=1e-12, first_position=0, padding=0,
)  # fmt: skip
MPNET = Shape(
    width=768, heads=12, layers=12,
    query_key_value=("attention.attn.q", "attention.attn.k", "attention.attn.v"),
    joined="attention.attn.o", attention_norm="attention.LayerNorm",
    epsilon=1e-5, first_position=2, padding=1,
)  # fmt: skip
_RELATIVE = "encoder.relative_attention_bias.weight"
_KIND = "embeddings.token_type_embeddings.weight"


def shape_of(weights: Mapping[str, np.ndarray]) -> Shape:
    """Which of the two these weights are."""
    return MPNET if _RELATIVE in weights else BERT


def buckets(size: int) -> np.ndarray:
    """The row of MPNet's table of distances for each pair of positions; far ones share one."""
    distance = np.arange(size)[:, None] - np.arange(size)[None, :]
    away = np.abs(distance)
    far = 8 + (np.log(np.maximum(away, 1) / 8) / math.log(128 / 8) * 8).astype(int)
    return (distance < 0) * 16 + np.where(away < 8, away, np.minimum(far, 15))


def build(
    weights: Mapping[str, np.ndarray],
    *,
    rank: int,
    half: bool = False,
    drop: float = 0.1,
) -> Any:
    """The encoder as a torch module: ``ids, mask`` to scores.

    Args:
        weights: the published arrays.
        rank: of the adapter.
        half: multiply in bfloat16.
        drop: share of the pooled vector left out while it learns.
    """
    import torch
    import torch.nn.functional as f
    from torch import nn

    shape = shape_of(weights)

    class Adapted(nn.Module):
        """A frozen dense layer with a low-rank addition."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.register_buffer("weight", torch.tensor(weights[f"{name}.weight"]))
            self.register_buffer("bias", torch.tensor(weights[f"{name}.bias"]))
            # Kept beside the full weight: converting it at every step would cost as much as using it.
            self.register_buffer("short", self.weight.bfloat16() if half else None)
            wide, deep = self.weight.shape
            self.down = nn.Parameter(torch.randn(rank, deep) / deep**0.5)
            self.up = nn.Parameter(torch.zeros(wide, rank))

        def forward(self, x: Any) -> Any:
            shortened = self.short is not None and torch.is_autocast_enabled("cpu")
            out = f.linear(x, self.short if shortened else self.weight, self.bias)
            # No dropout here: on a processor it takes longer than the multiplications.
            return out + f.linear(f.linear(x, self.down), self.up)

    class Norm(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.register_buffer("weight", torch.tensor(weights[f"{name}.weight"]))
            self.register_buffer("bias", torch.tensor(weights[f"{name}.bias"]))

        def forward(self, x: Any) -> Any:
            return f.layer_norm(x, (shape.width,), self.weight, self.bias, shape.epsilon)

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.padding = shape.padding
            self.register_buffer("words", torch.tensor(weights["embeddings.word_embeddings.weight"]))
            positions = weights["embeddings.position_embeddings.weight"][shape.first_position :]
            if _KIND in weights:  # every message is one segment
                positions = positions + weights[_KIND][0]
            self.register_buffer("positions", torch.tensor(positions))
            if _RELATIVE in weights:
                table = weights[_RELATIVE][buckets(MAX_TOKENS)].transpose(2, 0, 1)
                self.register_buffer("relative", torch.tensor(np.ascontiguousarray(table)))
            else:
                self.relative = None
            self.norm = Norm("embeddings.LayerNorm")
            self.names: list[str] = []
            self.parts = nn.ModuleDict()
            for layer in range(shape.layers):
                for part in shape.dense:
                    name = f"encoder.layer.{layer}.{part}"
                    self.parts[name.replace(".", "-")] = Adapted(name)
                    self.names.append(name)
                for part in (shape.attention_norm, "output.LayerNorm"):
                    name = f"encoder.layer.{layer}.{part}"
                    self.parts[name.replace(".", "-")] = Norm(name)
            # Which words count for each part of the pooled vector; zeros are the published mean of all.
            self.looks = nn.Parameter(torch.zeros(shape.heads, shape.width))
            self.heads = nn.Linear(shape.width, OUTPUTS)

        def forward(self, ids: Any, mask: Any) -> Any:
            x = self.norm(f.embedding(ids, self.words) + self.positions[: ids.shape[1]])
            seen = mask[:, None, None, :] > 0
            for layer in range(shape.layers):
                x = self._layer(x, seen, f"encoder.layer.{layer}.")
            pooled = self._pool(x, mask)
            # Unit length as published, times its usual size, so that the heads learn at the same rate.
            pooled = f.normalize(pooled.float(), dim=-1) * shape.width**0.5
            return self.heads(f.dropout(pooled, drop, self.training))

        def _layer(self, x: Any, seen: Any, layer: str) -> Any:
            size = x.shape[1]

            def part(name: str) -> Any:
                return self.parts[(layer + name).replace(".", "-")]

            def by_head(y: Any) -> Any:
                return y.view(*y.shape[:2], shape.heads, -1).transpose(1, 2)

            query, key, value = (by_head(part(name)(x)) for name in shape.query_key_value)
            # By hand: the backward pass of torch's own attention took 70% of a step on two cores.
            scores = query @ key.transpose(2, 3) * (shape.width // shape.heads) ** -0.5
            if self.relative is not None:
                scores = scores + self.relative[:, :size, :size]
            mixed = scores.masked_fill(~seen, -1e4).softmax(-1).to(value.dtype) @ value
            mixed = mixed.transpose(1, 2).reshape(x.shape)
            x = part(shape.attention_norm)(x + part(shape.joined)(mixed))
            inner = f.gelu(part("intermediate.dense")(x))
            return part("output.LayerNorm")(x + part("output.dense")(inner))

        def _pool(self, x: Any, mask: Any) -> Any:
            looked = f.linear(x, self.looks).float().masked_fill(mask[..., None] == 0, -1e4)
            parts = x.view(*x.shape[:2], shape.heads, -1)
            return (looked.softmax(1)[..., None] * parts).sum(1).flatten(1)

        def begin_from(self, adapter: Path) -> None:
            """Take over an adapter and heads that were written by :meth:`grown`."""
            from safetensors.numpy import load_file

            arrays = {name: torch.tensor(a.astype(np.float32)) for name, a in load_file(adapter).items()}
            for name in self.names:
                dense = self.parts[name.replace(".", "-")]
                dense.down.data, dense.up.data = arrays[f"{name}.down"], arrays[f"{name}.up"]
            if POOL in arrays:  # an older one took the mean
                self.looks.data = arrays[POOL]
            self.heads.weight.data = arrays["heads.weight"] / shape.width**0.5
            self.heads.bias.data = arrays["heads.bias"]

        def grown(self) -> dict[str, np.ndarray]:
            """Adapter and heads by name, float16."""
            found = {}
            for name in self.names:
                dense = self.parts[name.replace(".", "-")]
                found[f"{name}.down"] = dense.down.detach().numpy()
                found[f"{name}.up"] = dense.up.detach().numpy()
            found[POOL] = self.looks.detach().numpy()
            # The size of the pooled vector is folded in: at run time it has length 1.
            found["heads.weight"] = self.heads.weight.detach().numpy() * shape.width**0.5
            found["heads.bias"] = self.heads.bias.detach().numpy()
            return {name: array.astype(np.float16) for name, array in found.items()}

    return Encoder()
