"""Turns a message into 384 numbers that are close for messages that mean the same.

Plain onnxruntime: this module never imports Rasa, so the gateway can use it too. Texts are encoded one
at a time by default, because 8-bit arithmetic takes its scale from the whole batch: a message must give
the same numbers whatever stood beside it, in training, in the dialogue and in the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers

#: Numbers in a vector.
WIDTH = 384

#: Word pieces read of one text, with the two the model adds; what comes after is not seen.
MAX_TOKENS = 128

# 128 word pieces never need more, and cutting text is quicker than cutting pieces.
_MAX_CHARACTERS = 4_000


class Encoder:
    """A sentence encoder in memory. Safe to use from several threads."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, session: onnxruntime.InferenceSession) -> None:
        self._tokenizer = tokenizer
        self._session = session

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> Encoder:
        """Read the encoder :func:`bot.nlu.encoder_build.build_base` made (about 0.1 s).

        Args:
            folder: holds ``model.onnx`` and ``tokenizer.json``.
            threads: processor threads for one text. One is quickest for short messages and leaves the
                other cores to other conversations.

        Raises:
            FileNotFoundError: a file is missing.
        """
        # A heavy library, loaded with the first encoder rather than with this module.
        import onnxruntime

        for name in ("tokenizer.json", "model.onnx"):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder / name} is missing: run the set-up (earshot setup)")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        # The arena keeps the largest batch ever seen; messages are small and memory is shared.
        options.enable_cpu_mem_arena = False
        session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        return cls(read_tokenizer(folder), session)

    def encode(self, texts: Sequence[str], batch_size: int = 1) -> np.ndarray:
        """One row of length 1 for each text, float32 [n, 384]. Any string will do, the empty one too.

        Args:
            texts: the messages, as they were written.
            batch_size: texts run together. Above 1 it is for bulk work only: the numbers then depend a
                little on which texts share a batch.
        """
        ids = [self._tokenizer.encode(_readable(text)).ids for text in texts]
        # Texts of like length together, so that little of a batch is padding.
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        vectors = np.empty((len(ids), WIDTH), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            longest = max(len(ids[row]) for row in rows)
            padded = np.zeros((len(rows), longest), dtype=np.int64)
            mask = np.zeros_like(padded)
            for place, row in enumerate(rows):
                padded[place, : len(ids[row])] = ids[row]
                mask[place, : len(ids[row])] = 1
            (vectors[rows],) = self._session.run(["embedding"], {"input_ids": padded, "attention_mask": mask})
        return vectors

    def scores(self, text: str) -> np.ndarray:
        """What the heads of a tuned encoder say of one text, float32 [n]; the base encoder has none.

        Raises:
            ValueError: this encoder has no heads.
        """
        if all(output.name != "scores" for output in self._session.get_outputs()):
            raise ValueError("this encoder was built without an adapter, so it has no scores")
        ids = np.array([self._tokenizer.encode(_readable(text)).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return self._session.run(["scores"], inputs)[0][0]


def read_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    """The word pieces of the encoder in ``folder``, cut at :data:`MAX_TOKENS`."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _readable(text: str) -> str:
    """Text the word-piece library can take: no half characters, no runs of space, not endless."""
    start = " ".join(text[: 2 * _MAX_CHARACTERS].split())[:_MAX_CHARACTERS]
    # A lone surrogate is legal in JSON and Python, but is no character.
    return start.encode("utf-8", "replace").decode("utf-8")
