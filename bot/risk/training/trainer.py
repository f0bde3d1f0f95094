"""Tunes the adapter and the heads. Runs in an environment with torch, as a program of its own.

Called by :mod:`bot.risk.training.command`; it imports nothing else of Earshot, so that its environment
needs torch, safetensors, tokenizers and numpy only. Prints one JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

LEVELS, CATEGORIES, ABOUTS = 4, 24, 4
WIDTH, HEADS, LAYERS = 384, 12, 6
MAX_TOKENS = 128
#: The dense layers of BERT that get an adapter, by their published names.
TARGETS = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    "intermediate.dense", "output.dense",
)  # fmt: skip
#: What a miss costs, by level: a disclosure that is not heard is worse than a question too many.
LEVEL_COST = (1.0, 1.0, 1.3, 1.6)


def main() -> None:
    """Train, and write ``adapter.safetensors`` (float16) and ``scores.npy`` of the validation rows."""
    args = _arguments()
    import torch
    from safetensors.numpy import load_file, save_file
    from tokenizers import Tokenizer

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.order)  # noqa: S311 - order of batches, not a secret
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    train = _read(args.train, tokenizer)
    valid = _read(args.valid, tokenizer) if args.valid else []

    model = _model(load_file(args.base / "model.safetensors"), args)
    grown = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(grown, lr=args.rate, weight_decay=0.01)
    steps = args.epochs * math.ceil(len(train) / args.batch)
    warm = max(1, steps // 16)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, max(0.02, (steps - step) / (steps - warm)))
    )
    for epoch in range(args.epochs):
        began, total, seen = time.monotonic(), 0.0, 0
        model.train()
        for batch in _batches(train, args, rng):
            with torch.autocast("cpu", torch.bfloat16, enabled=args.half):
                out = model(*_tensors(batch)).float()
            loss = _loss(out, batch, args)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(grown, 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(batch)
            seen += len(batch)
        line: dict[str, Any] = {
            "epoch": epoch + 1, "loss": round(total / seen, 4), "seconds": round(time.monotonic() - began),
        }  # fmt: skip
        if valid:
            line |= _figures(_scores(model, valid), valid)
        print(json.dumps(line), flush=True)  # noqa: T201
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: array.astype(np.float16) for name, array in model.grown_arrays().items()},
        args.out / "adapter.safetensors",
        metadata={"rank": str(args.rank)},
    )
    if valid:
        np.save(args.out / "scores.npy", _scores(model, valid))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tune the adapter of Earshot's risk encoder.")
    parser.add_argument(
        "--base", type=Path, required=True, help="folder with model.safetensors, tokenizer.json"
    )
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7, help="of the adapter's first values")
    parser.add_argument("--order", type=int, default=7, help="of the order and the noise of the messages")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--clean", type=float, default=0.4, help="share of messages read without noise")
    parser.add_argument("--smooth", type=float, default=0.05)
    parser.add_argument("--drop", type=float, default=0.1)
    parser.add_argument("--category", type=float, default=0.35, help="weight of the categories")
    parser.add_argument("--first-layer", type=int, default=0, help="lowest layer that gets an adapter")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--half", action="store_true", help="bfloat16 multiplications")
    return parser.parse_args()


def _read(path: Path, tokenizer: Any) -> list[dict[str, Any]]:
    rows = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            row["ids"] = [tokenizer.encode(copy).ids for copy in row.pop("copies")]
            rows.append(row)
    return rows


def _batches(rows: list[dict[str, Any]], args: Any, rng: random.Random) -> Iterator[list[dict[str, Any]]]:
    """Batches of messages of like length, in random order, each message in one of its copies."""
    drawn = []
    for row in rows:
        copy = 0 if rng.random() < args.clean or len(row["ids"]) == 1 else rng.randrange(1, len(row["ids"]))
        drawn.append({**row, "now": row["ids"][copy]})
    drawn.sort(key=lambda row: len(row["now"]) + rng.random() * 4)
    batches = [drawn[i : i + args.batch] for i in range(0, len(drawn), args.batch)]
    rng.shuffle(batches)
    yield from batches


def _tensors(batch: list[dict[str, Any]]) -> tuple[Any, Any]:
    import torch

    longest = max(len(row["now"]) for row in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest)
    for i, row in enumerate(batch):
        ids[i, : len(row["now"])] = torch.tensor(row["now"])
        mask[i, : len(row["now"])] = 1
    return ids, mask


def _loss(out: Any, batch: list[dict[str, Any]], args: Any) -> Any:
    import torch
    import torch.nn.functional as f

    level = torch.tensor([row["level"] for row in batch])
    weight = torch.tensor([row["weight"] for row in batch]) * torch.tensor(LEVEL_COST)[level]
    levels = f.cross_entropy(out[:, :LEVELS], level, label_smoothing=args.smooth, reduction="none")
    # The line between concern and high decides whether a person comes: it is learned once more, alone.
    edge = torch.logsumexp(out[:, 2:LEVELS], 1) - torch.logsumexp(out[:, :2], 1)
    raised = (level >= 2).float() * (1 - args.smooth) + args.smooth / 2
    edges = f.binary_cross_entropy_with_logits(edge, raised, reduction="none")
    named = torch.zeros(len(batch), CATEGORIES)
    for i, row in enumerate(batch):
        named[i, row["categories"]] = 1
    categories = f.binary_cross_entropy_with_logits(
        out[:, LEVELS : LEVELS + CATEGORIES], named, reduction="none"
    ).sum(1)
    about = torch.tensor([row["about"] for row in batch])
    abouts = f.cross_entropy(
        out[:, LEVELS + CATEGORIES :], about, label_smoothing=args.smooth, reduction="none"
    )
    total = levels + 0.7 * edges + args.category * categories + 0.3 * abouts
    return (total * weight).sum() / weight.sum()


def _scores(model: Any, rows: list[dict[str, Any]]) -> np.ndarray:
    import torch

    model.eval()
    with torch.no_grad():
        return np.stack([model(*_tensors([{"now": row["ids"][0]}]))[0].numpy() for row in rows])


def _figures(scores: np.ndarray, rows: list[dict[str, Any]]) -> dict[str, float]:
    level = np.array([row["level"] for row in rows])
    odds = scores[:, :LEVELS] - scores[:, :LEVELS].max(1, keepdims=True)
    chance = np.exp(odds) / np.exp(odds).sum(1, keepdims=True)
    raised, high = chance[:, 2:].sum(1), level >= 2
    order = np.argsort(raised)
    place = np.empty(len(order))
    place[order] = np.arange(len(order))
    auc = (place[high].sum() - high.sum() * (high.sum() - 1) / 2) / (high.sum() * (~high).sum())
    cut = np.quantile(raised[level == 0], 0.98)
    likeliest = np.argsort(-scores[:, LEVELS : LEVELS + CATEGORIES], 1)[:, :3]
    named = [bool(set(likeliest[i]) & set(row["categories"])) for i, row in enumerate(rows) if high[i]]
    about = scores[:, LEVELS + CATEGORIES :].argmax(1) == [row["about"] for row in rows]
    return {
        "auc": round(float(auc), 4),
        "sensitivity_argmax": round(float((chance.argmax(1)[high] >= 2).mean()), 4),
        "sensitivity_at_2pc": round(float((raised[high] > cut).mean()), 4),
        "concern_over_at_2pc": round(float((raised[level == 1] > cut).mean()), 4),
        "specificity_argmax": round(float((chance.argmax(1)[level == 0] < 2).mean()), 4),
        "concern_over_argmax": round(float((chance.argmax(1)[level == 1] >= 2).mean()), 4),
        "immediate_argmax": round(float((chance.argmax(1)[level == 3] == 3).mean()), 4),
        "category_in_3": round(float(np.mean(named)), 4),
        "about": round(float(about[level >= 1].mean()), 4),
    }


def _model(weights: dict[str, np.ndarray], args: Any) -> Any:
    import torch
    import torch.nn.functional as f
    from torch import nn

    class Adapted(nn.Module):
        """A frozen dense layer with a low-rank addition (Hu et al. 2021)."""

        def __init__(self, name: str, adapted: bool) -> None:
            super().__init__()
            self.register_buffer("weight", torch.tensor(weights[f"{name}.weight"]))
            self.register_buffer("bias", torch.tensor(weights[f"{name}.bias"]))
            # Kept beside the full weight: converting it at every step would cost as much as using it.
            self.register_buffer("short", self.weight.bfloat16() if args.half else None)
            self.adapted = adapted
            if adapted:
                wide, deep = self.weight.shape
                self.down = nn.Parameter(torch.randn(args.rank, deep) / deep**0.5)
                self.up = nn.Parameter(torch.zeros(wide, args.rank))

        def forward(self, x: Any) -> Any:
            weight = self.short if self.training and self.short is not None else self.weight
            out = f.linear(x, weight, self.bias)
            # No dropout here: on a processor it takes longer than the multiplications.
            return out + f.linear(f.linear(x, self.down), self.up) if self.adapted else out

    class Norm(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.register_buffer("weight", torch.tensor(weights[f"{name}.weight"]))
            self.register_buffer("bias", torch.tensor(weights[f"{name}.bias"]))

        def forward(self, x: Any) -> Any:
            return f.layer_norm(x, (WIDTH,), self.weight, self.bias, 1e-12)

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("words", torch.tensor(weights["embeddings.word_embeddings.weight"]))
            positions = weights["embeddings.position_embeddings.weight"]
            kind = weights["embeddings.token_type_embeddings.weight"][0]
            self.register_buffer("positions", torch.tensor(positions + kind))
            self.norm = Norm("embeddings.LayerNorm")
            self.names: list[str] = []
            self.parts = nn.ModuleDict()
            for layer in range(LAYERS):
                for target in TARGETS:
                    name = f"encoder.layer.{layer}.{target}"
                    self.parts[name.replace(".", "-")] = Adapted(name, layer >= args.first_layer)
                    self.names.append(name)
                for target in ("attention.output.LayerNorm", "output.LayerNorm"):
                    name = f"encoder.layer.{layer}.{target}"
                    self.parts[name.replace(".", "-")] = Norm(name)
            self.heads = nn.Linear(WIDTH, LEVELS + CATEGORIES + ABOUTS)

        def forward(self, ids: Any, mask: Any) -> Any:
            x = self.norm(f.embedding(ids, self.words) + self.positions[: ids.shape[1]])
            seen = mask[:, None, None, :] > 0
            for layer in range(LAYERS):
                x = self._layer(x, seen, f"encoder-layer-{layer}-")
            pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            # Unit length as published, times its usual size, so that the heads learn at the same rate.
            pooled = f.normalize(pooled.float(), dim=-1) * WIDTH**0.5
            return self.heads(f.dropout(pooled, args.drop, self.training))

        def _layer(self, x: Any, seen: Any, name: str) -> Any:
            part = self.parts

            def by_head(y: Any) -> Any:
                return y.view(*y.shape[:2], HEADS, -1).transpose(1, 2)

            query, key, value = (
                by_head(part[f"{name}attention-self-{kind}"](x)) for kind in ("query", "key", "value")
            )
            # By hand: the backward pass of torch's own attention took 70% of a step on two cores.
            shares = (query @ key.transpose(2, 3) * (WIDTH // HEADS) ** -0.5).masked_fill(~seen, -1e4)
            mixed = shares.softmax(-1).to(value.dtype) @ value
            mixed = mixed.transpose(1, 2).reshape(x.shape)
            x = part[f"{name}attention-output-LayerNorm"](x + part[f"{name}attention-output-dense"](mixed))
            inner = f.gelu(part[f"{name}intermediate-dense"](x))
            return part[f"{name}output-LayerNorm"](x + part[f"{name}output-dense"](inner))

        def grown_arrays(self) -> dict[str, np.ndarray]:
            found = {}
            for name in self.names:
                dense = self.parts[name.replace(".", "-")]
                if dense.adapted:
                    found[f"{name}.down"] = dense.down.detach().numpy()
                    found[f"{name}.up"] = dense.up.detach().numpy()
            # The size of the pooled vector is folded in: at run time it has length 1.
            found["heads.weight"] = self.heads.weight.detach().numpy() * WIDTH**0.5
            found["heads.bias"] = self.heads.bias.detach().numpy()
            return found

    return Encoder()


if __name__ == "__main__":
    main()
