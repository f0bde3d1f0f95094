"""Tunes an adapter and its heads, or tells what a tuned one makes of messages.

A program of its own for a Python with torch, called by :mod:`bot.risk.training.command`. Of Earshot it
imports only :mod:`bot.risk.training.network`, so that its environment needs torch, safetensors, tokenizers
and numpy and nothing else. Prints one JSON object a line.

After each epoch what it has learned is kept in ``--out``; the same command given again goes on from there.
``--taught`` makes it a pupil (Hinton et al. 2015): beside the labels it learns what a teacher, or several of
whom the mean was taken, made of each message. ``--tell`` writes that down.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.risk.training.network import CATEGORIES, LEVELS, MAX_TOKENS, OUTPUTS, build

__all__ = ["main"]

#: What a miss costs, by level: a disclosure that is not heard is worse than a question too many.
LEVEL_COST = (1.0, 1.0, 1.3, 1.6)


#: Where a tuning stands after an epoch, in the folder ``--out``; removed at its end.
HALFWAY = "halfway.pt"
#: Copies of each message that teachers are asked about, and pupils read; the first is the plain one.
TAUGHT_COPIES = 2
#: How flat a teacher's chances are made: what it thinks of the other levels is worth learning too.
HEAT = 2.0
_ABOUT = slice(LEVELS + CATEGORIES, OUTPUTS)
_CATEGORY = slice(LEVELS, LEVELS + CATEGORIES)
_LEVEL = slice(0, LEVELS)


def main() -> None:
    """Train, and write ``adapter.safetensors`` (float16); or write the scores of ``--tell``."""
    args = _arguments()
    import torch
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = Tokenizer.from_file(str(args.base / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    model = build(load_file(args.base / "model.safetensors"), rank=args.rank, half=args.half, drop=args.drop)
    if args.begin:
        model.begin_from(args.begin)
    rows = _read(args.train, tokenizer)
    if args.tell:
        asked = [ids for row in rows for ids in row["ids"][:TAUGHT_COPIES]]
        np.save(args.tell, _scores(model, asked, args.half).astype(np.float16))
    else:
        _tune(model, rows, _read(args.valid, tokenizer) if args.valid else [], args)


def _tune(model: Any, rows: list[dict[str, Any]], valid: list[dict[str, Any]], args: Any) -> None:
    import torch
    from safetensors.numpy import save_file

    if args.taught:
        _put_beside(rows, np.load(args.taught).astype(np.float32))
    grown = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(grown, lr=args.rate, weight_decay=0.01)
    steps = args.epochs * math.ceil(len(rows) / args.batch)
    warm = max(1, steps // 16)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, max(0.02, (steps - step) / (steps - warm)))
    )
    args.out.mkdir(parents=True, exist_ok=True)
    halfway = _Halfway(args, grown, optimiser, schedule)
    for epoch in range(halfway.epochs_done(), args.epochs):
        # An epoch depends on its number alone, so that one taken up later reads what it would have read.
        torch.manual_seed(args.order * args.epochs + epoch)
        rng = random.Random(f"{args.order}, {epoch}")  # noqa: S311 - order of batches, not a secret
        began, total, seen = time.monotonic(), 0.0, 0
        model.train()
        for batch in _batches(rows, args, rng):
            with torch.autocast("cpu", torch.bfloat16, enabled=args.half):
                out = model(*_tensors([row["now"] for row in batch], model.padding)).float()
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
            line |= _figures(_scores(model, [row["ids"][0] for row in valid], args.half), valid)
        print(json.dumps(line), flush=True)  # noqa: T201
        halfway.keep(epoch + 1)
    save_file(model.grown(), args.out / "adapter.safetensors", metadata={"rank": str(args.rank)})
    halfway.path.unlink()


class _Halfway:
    """Keeps where a tuning stands, and takes it up again if it is the same tuning."""

    def __init__(self, args: Any, grown: list[Any], optimiser: Any, schedule: Any) -> None:
        self.path = args.out / HALFWAY
        # The number of threads changes how long it takes, not what is learned.
        self._tuning = str(sorted((k, str(v)) for k, v in vars(args).items() if k != "threads"))
        self._grown, self._optimiser, self._schedule = grown, optimiser, schedule

    def epochs_done(self) -> int:
        import torch

        if not self.path.is_file():
            return 0
        kept = torch.load(self.path, weights_only=True)
        if kept["tuning"] != self._tuning:
            return 0
        for parameter, value in zip(self._grown, kept["grown"], strict=True):
            parameter.data.copy_(value)
        self._optimiser.load_state_dict(kept["optimiser"])
        self._schedule.load_state_dict(kept["schedule"])
        print(json.dumps({"taken_up_after_epoch": kept["epochs"]}), flush=True)  # noqa: T201
        return int(kept["epochs"])

    def keep(self, epochs: int) -> None:
        import torch

        fresh = self.path.with_suffix(".new")
        torch.save(
            {
                "tuning": self._tuning,
                "epochs": epochs,
                "grown": [parameter.data for parameter in self._grown],
                "optimiser": self._optimiser.state_dict(),
                "schedule": self._schedule.state_dict(),
            },
            fresh,
        )
        os.replace(fresh, self.path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tune the adapter of Earshot's risk encoder.")
    parser.add_argument(
        "--base", type=Path, required=True, help="folder with model.safetensors, tokenizer.json"
    )
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tell", type=Path, help="train nothing; write the scores of --train here")
    parser.add_argument("--begin", type=Path, help="the adapter to begin from")
    parser.add_argument("--taught", type=Path, help="scores of the teachers, as --tell writes them")
    parser.add_argument("--soft", type=float, default=0.7, help="share of the teachers beside the labels")
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
        drawn.append({**row, "now": row["ids"][copy], "copy": copy})
    drawn.sort(key=lambda row: len(row["now"]) + rng.random() * 4)
    batches = [drawn[i : i + args.batch] for i in range(0, len(drawn), args.batch)]
    rng.shuffle(batches)
    yield from batches


def _put_beside(rows: list[dict[str, Any]], told: np.ndarray) -> None:
    """Give each message what its teachers made of it; only the copies they were asked about are read."""
    start = 0
    for row in rows:
        row["ids"] = row["ids"][:TAUGHT_COPIES]
        row["told"] = told[start : start + len(row["ids"])]
        start += len(row["ids"])
    if start != len(told):
        raise SystemExit(f"The teachers were asked about {len(told)} messages, and here are {start}.")


def _tensors(texts: list[list[int]], padding: int) -> tuple[Any, Any]:
    import torch

    longest = max(map(len, texts))
    ids = torch.full((len(texts), longest), padding, dtype=torch.long)
    mask = torch.zeros(len(texts), longest)
    for i, text in enumerate(texts):
        ids[i, : len(text)] = torch.tensor(text)
        mask[i, : len(text)] = 1
    return ids, mask


def _loss(out: Any, batch: list[dict[str, Any]], args: Any) -> Any:
    import torch

    hard = _by_labels(out, batch, args)
    if "told" not in batch[0]:
        return hard
    told = torch.tensor(np.stack([row["told"][row["copy"]] for row in batch]))
    return args.soft * _by_teachers(out, told, args) + (1 - args.soft) * hard


def _by_labels(out: Any, batch: list[dict[str, Any]], args: Any) -> Any:
    import torch
    import torch.nn.functional as f

    level = torch.tensor([row["level"] for row in batch])
    weight = torch.tensor([row["weight"] for row in batch]) * torch.tensor(LEVEL_COST)[level]
    levels = f.cross_entropy(out[:, _LEVEL], level, label_smoothing=args.smooth, reduction="none")
    raised = (level >= 2).float() * (1 - args.smooth) + args.smooth / 2
    edges = f.binary_cross_entropy_with_logits(_edge(out), raised, reduction="none")
    named = torch.zeros(len(batch), CATEGORIES)
    for i, row in enumerate(batch):
        named[i, row["categories"]] = 1
    categories = f.binary_cross_entropy_with_logits(out[:, _CATEGORY], named, reduction="none").sum(1)
    about = torch.tensor([row["about"] for row in batch])
    abouts = f.cross_entropy(out[:, _ABOUT], about, label_smoothing=args.smooth, reduction="none")
    # Of some rows only the level is known.
    known = torch.tensor([0.0 if row.get("level_only") else 1.0 for row in batch])
    total = levels + 0.7 * edges + known * (args.category * categories + 0.3 * abouts)
    return (total * weight).sum() / weight.sum().clamp(min=1e-6)  # a batch may hold unlabelled ones only


def _by_teachers(out: Any, told: Any, args: Any) -> Any:
    import torch.nn.functional as f

    chances = (told[:, _LEVEL] / HEAT).softmax(1)
    levels = -(chances * (out[:, _LEVEL] / HEAT).log_softmax(1)).sum(1) * HEAT
    edges = f.binary_cross_entropy_with_logits(_edge(out), _edge(told).sigmoid(), reduction="none")
    likely = told[:, _CATEGORY].sigmoid()
    categories = f.binary_cross_entropy_with_logits(out[:, _CATEGORY], likely, reduction="none").sum(1)
    abouts = -(told[:, _ABOUT].softmax(1) * out[:, _ABOUT].log_softmax(1)).sum(1)
    return (levels + 0.7 * edges + args.category * categories + 0.3 * abouts).mean()


def _edge(scores: Any) -> Any:
    """The line between concern and high decides whether a person comes: it is learned once more, alone."""
    import torch

    return torch.logsumexp(scores[:, 2:LEVELS], 1) - torch.logsumexp(scores[:, :2], 1)


def _scores(model: Any, texts: list[list[int]], half: bool) -> np.ndarray:
    import torch

    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found = np.empty((len(texts), OUTPUTS), dtype=np.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        for start in range(0, len(order), 48):
            part = order[start : start + 48]
            found[part] = model(*_tensors([texts[i] for i in part], model.padding)).float().numpy()
    return found


def _figures(scores: np.ndarray, rows: list[dict[str, Any]]) -> dict[str, float | None]:
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
    known = np.array([not row.get("level_only") for row in rows])
    named = [bool(set(likeliest[i]) & set(rows[i]["categories"])) for i in np.flatnonzero(high & known)]
    about = scores[:, LEVELS + CATEGORIES :].argmax(1) == [row["about"] for row in rows]
    return {
        "auc": round(float(auc), 4),
        "sensitivity_argmax": _share(chance.argmax(1)[high] >= 2),
        "sensitivity_at_2pc": _share(raised[high] > cut),
        "concern_over_at_2pc": _share(raised[level == 1] > cut),
        "specificity_argmax": _share(chance.argmax(1)[level == 0] < 2),
        "concern_over_argmax": _share(chance.argmax(1)[level == 1] >= 2),
        "immediate_argmax": _share(chance.argmax(1)[level == 3] == 3),
        "category_in_3": _share(named),
        "about": _share(about[(level >= 1) & known]),
    }


def _share(found: Sequence[bool] | np.ndarray) -> float | None:
    return round(float(np.mean(found)), 4) if len(found) else None


if __name__ == "__main__":
    main()
