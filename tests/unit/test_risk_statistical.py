"""The statistical layer: what it reads and says, how it joins the phrases, and that it is the real one."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.nlu.base_model import EncoderError, TamperedError, fetch_base, load_weights, merge_adapter
from bot.nlu.encoder import Encoder
from bot.nlu.encoder_build import NotBuiltError, build_base
from bot.nlu.normaliser import Normaliser
from bot.risk.combination import FAMILY, combine, undecided
from bot.risk.detector import Detector, default_detector
from bot.risk.evaluation import MEASURES, Share, evaluate, evaluate_file, wilson
from bot.risk.labelled import LabelError, read_labelled
from bot.risk.matching import Message, Span
from bot.risk.model_text import LONGEST, MOST, Window, read, windows
from bot.risk.statistical_layer import (
    ADAPTER,
    Part,
    Reading,
    StatisticalLayer,
    Thresholds,
    build_risk_encoder,
)
from bot.risk.taxonomy import About, Category, Evidence, Finding, Level, Memory

AT = Thresholds(
    high=0.5,
    part=0.7,
    immediate=0.4,
    above=0.8,
    concern=0.5,
    guarded=0.9,
    category=0.3,
    short=0.5,
    answer=0.4,
    answer_immediate=0.6,
    joined=0.6,
    joined_immediate=0.4,
    unsure=0.3,
)


@pytest.fixture(scope="module")
def normaliser() -> Normaliser:
    return default_detector().normaliser


@pytest.fixture(scope="module")
def layer() -> StatisticalLayer:
    return StatisticalLayer.load()


def _message(normaliser: Normaliser, text: str) -> Message:
    return Message(text, normaliser.words(text))


def _part(message: Message, chances: tuple[float, ...], whole: bool = True) -> Part:
    categories = [0.0] * len(Category)
    categories[list(Category).index(Category.NEGLECT)] = 0.9
    window = Window("", Span(0, len(message.words)), whole)
    return Part(window, chances, tuple(categories), (1.0, 0.0, 0.0, 0.0))


def _phrase(level: Level, family: str = "some_family") -> Evidence:
    return Evidence("phrase", family, "words", 0, 5, level, (Category.SUICIDE,))


# What is read


@pytest.mark.parametrize(
    "dressed",
    [
        "hi my uncle does things",
        "My uncle does things lol",
        "hey, my uncle does things haha x",
        "my uncle does things 😂",
    ],
)
def test_greetings_laughter_capitals_and_emoji_change_nothing_that_is_read(normaliser, dressed: str) -> None:
    assert read(_message(normaliser, dressed)) == read(_message(normaliser, "my uncle does things"))


def test_text_speak_is_read_as_plain_words(normaliser) -> None:
    assert read(_message(normaliser, "i wanna dye 2nite")) == "i want to die tonight"


def test_a_question_stays_a_question(normaliser) -> None:
    assert read(_message(normaliser, "Can he babysit? Is 17 ok?")) == "can he babysit? is 17 ok?"


def test_each_sentence_of_a_message_is_read_by_itself_too(normaliser) -> None:
    message = _message(normaliser, "We had chips for tea. My uncle comes in at night. I like football a lot.")
    texts = [window.text for window in windows(message)]
    assert "my uncle comes in at night" in texts
    assert any(text.startswith("we had chips") and text.endswith("a lot") for text in texts)


def test_a_long_message_is_read_to_its_end_in_stretches_the_encoder_can_hold(normaliser) -> None:
    message = _message(normaliser, "we went to the park and then " * 60 + "my uncle comes in at night")
    found = windows(message)
    assert all(w.span.end - w.span.start <= LONGEST for w in found)
    assert found[-1].text.endswith("my uncle comes in at night")


def test_an_endless_message_is_not_read_endlessly(normaliser) -> None:
    assert len(windows(_message(normaliser, "my uncle comes in. " * 3_000))) <= MOST


@pytest.mark.parametrize("text", ["", "   ", "😀😀", "hi", "lol", "!!!"])
def test_nothing_to_read_is_no_finding(normaliser, layer: StatisticalLayer, text: str) -> None:
    message = _message(normaliser, text)
    reading = layer.read(message)
    assert reading.parts == () and reading.about is None
    assert combine(message, [], reading, layer.thresholds) == []


# How it joins the phrases


@pytest.mark.parametrize(
    ("chances", "whole", "level"),
    [
        ((0.9, 0.1, 0.0, 0.0), True, None),
        ((0.3, 0.6, 0.1, 0.0), True, Level.CONCERN),
        ((0.2, 0.2, 0.5, 0.1), True, Level.HIGH),
        ((0.2, 0.2, 0.1, 0.5), True, Level.IMMEDIATE),
        ((0.2, 0.2, 0.5, 0.1), False, None),
        ((0.1, 0.1, 0.7, 0.1), False, Level.HIGH),
    ],
)
def test_the_encoder_speaks_from_its_thresholds_on(normaliser, chances, whole: bool, level) -> None:
    message = _message(normaliser, "since he left we only ever eat properly on fridays at nans")
    found = combine(message, [], Reading((_part(message, chances, whole),)), AT)
    assert [e.level for e in found] == ([level] if level else [])
    for item in found:
        assert (item.layer, item.family, item.words) == ("model", FAMILY, message.text)
        assert item.categories == (Category.NEGLECT,)


@pytest.mark.parametrize(
    ("chances", "level"),
    [
        ((0.2, 0.2, 0.5, 0.1), Level.CONCERN),
        ((0.1, 0.1, 0.3, 0.5), Level.HIGH),
        ((0.0, 0.0, 0.1, 0.9), Level.IMMEDIATE),
    ],
)
def test_of_a_few_words_the_encoder_must_be_surer(normaliser, chances, level) -> None:
    message = _message(normaliser, "i have to go home now")
    reading = Reading((_part(message, chances, True),))
    found = combine(message, [], reading, replace(AT, short=0.75))
    assert [e.level for e in found] == [level]


@pytest.mark.parametrize("level", [Level.CONCERN, Level.HIGH, Level.IMMEDIATE])
def test_the_encoder_never_takes_away_what_a_phrase_found(normaliser, level: Level) -> None:
    message = _message(normaliser, "some words of a message")
    sure = Reading((_part(message, (0.99, 0.01, 0.0, 0.0)),))
    assert combine(message, [_phrase(level)], sure, AT) == [_phrase(level)]


def test_a_guard_makes_the_encoder_need_to_be_surer(normaliser) -> None:
    message = _message(normaliser, "some words of a message")
    guarded = _phrase(Level.NONE)
    quite, very = (Reading((_part(message, (0.0, 1 - p, p, 0.0)),)) for p in (0.8, 0.95))
    assert [e.level for e in combine(message, [guarded], quite, AT)] == [Level.CONCERN]
    assert [e.level for e in combine(message, [guarded], very, AT)] == [Level.HIGH]


def test_a_guard_beside_a_phrase_that_stands_changes_nothing(normaliser) -> None:
    message = _message(normaliser, "some words of a message")
    found = [_phrase(Level.NONE), _phrase(Level.HIGH)]
    reading = Reading((_part(message, (0.1, 0.0, 0.0, 0.9)),))
    assert max(e.level for e in combine(message, found, reading, AT)) is Level.IMMEDIATE


def test_a_phrase_at_high_is_only_overruled_by_an_encoder_that_is_very_sure(normaliser) -> None:
    message = _message(normaliser, "some words of a message")
    reading = Reading((_part(message, (0.1, 0.1, 0.1, 0.7)),))
    levels = [e.level for e in combine(message, [_phrase(Level.HIGH)], reading, AT)]
    assert levels == [Level.HIGH, Level.HIGH]


def test_the_encoder_is_silent_on_words_that_mean_nothing_alone(normaliser) -> None:
    message = _message(normaliser, "he is outside")
    assert combine(message, [], Reading((_part(message, (0.0, 0.0, 0.0, 1.0)),)), AT) == []


@pytest.mark.parametrize(
    ("chances", "level"),
    [
        ((0.7, 0.0, 0.2, 0.1), None),
        ((0.5, 0.0, 0.4, 0.1), Level.HIGH),
        ((0.3, 0.0, 0.2, 0.5), Level.HIGH),
        ((0.3, 0.0, 0.0, 0.7), Level.IMMEDIATE),
        ((0.2, 0.8, 0.0, 0.0), None),
    ],
)
def test_an_answer_has_thresholds_of_its_own_however_short_it_is(normaliser, chances, level) -> None:
    message = _message(normaliser, "in the drawer")
    reading = Reading((_part(message, chances),), answers=True)
    found = combine(message, [], reading, replace(AT, short=0.95))
    assert [e.level for e in found] == ([level] if level else [])


def test_an_answer_is_read_with_its_question_before_it(normaliser) -> None:
    message = _message(normaliser, "hes out lol")
    assert [w.text for w in windows(message, "are you safe")] == ["are you safe? he is out"]
    assert [w.text for w in windows(message)] == ["he is out"]
    assert windows(_message(normaliser, "lol"), "are you safe") == []


def test_a_sentence_of_a_long_answer_is_read_without_the_question(normaliser) -> None:
    message = _message(normaliser, "yeah im at my nans house. my uncle comes in at night when she is asleep.")
    texts = {w.text: w.whole for w in windows(message, "are you safe")}
    assert [text.startswith("are you safe? ") for text in texts] == list(texts.values())
    assert list(texts.values()) == [True, False, False]


# The real layer


@pytest.mark.parametrize(
    "text",
    [
        "he comes in my room when mums asleep and i pretend im not awake",
        "i gave away all my stuff because i wont need it after friday",
        "an older boy makes me carry packages on the train and i cant say no",
    ],
)
def test_harm_without_a_keyword_is_heard_and_its_words_are_shown(text: str) -> None:
    finding = default_detector().assess(f"Hello. {text}")
    assert finding.level.needs_person
    model = [e for e in finding.evidence if e.layer == "model"]
    assert model and all(f"Hello. {text}"[e.start : e.end] == e.words for e in finding.evidence)


@pytest.mark.parametrize(
    "text", ["", "hi 😀", "he\ud800llo there my friend", "my uncle. " * 500, "\x00 \x07 word"]
)
def test_no_text_breaks_the_layer(text: str) -> None:
    assert isinstance(default_detector().assess(text), Finding)


def test_the_same_text_always_gets_the_same_chances(normaliser, layer: StatisticalLayer) -> None:
    message = _message(normaliser, "something happens at night and i cant say what")
    assert layer.read(message) == layer.read(message)


def test_an_ordinary_message_is_read_in_a_few_milliseconds() -> None:
    detector = default_detector()
    texts = [row.text for row in read_labelled(ADAPTER.parents[1] / "training" / "home.jsonl")[:200]]
    detector.assess(texts[0])
    took = []
    for text in texts:
        began = time.perf_counter()
        detector.assess(text)
        took.append(time.perf_counter() - began)
    # The bar is 8 ms at p95 on a quiet core; the middle holds on a busy machine too.
    assert sorted(took)[len(took) // 2] < 0.02


def test_the_quantised_encoder_says_nearly_what_the_adapter_says(normaliser, layer: StatisticalLayer) -> None:
    # The graph in 32 bits, from the same weights, is the yardstick.
    import onnxruntime
    from tokenizers import Tokenizer

    from bot.nlu.encoder_graph import build_graph

    folder = build_risk_encoder()
    merged = merge_adapter(load_weights(fetch_base(folder.parent)), ADAPTER)
    exact = onnxruntime.InferenceSession(build_graph(merged).SerializeToString())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    quick = Encoder.load(folder)
    apart = []
    for text in ("my stepdad hits me", "what time do you open", "i do not want to be here", "hungry again"):
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        (scores,) = exact.run(["scores"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        apart.append(np.abs(_chances(scores[0]) - _chances(quick.scores(text))).max())
    assert np.mean(apart) < 0.1


def _chances(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores[:4] - scores[:4].max())
    return odds / odds.sum()


def test_without_the_built_encoder_there_is_no_detector(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("EARSHOT_CACHE", str(tmp_path))
    with pytest.raises(NotBuiltError, match="earshot setup"):
        Detector.load()


def test_a_changed_adapter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ADAPTER.parent, folder)
    adapter = folder / ADAPTER.name
    changed = bytearray(adapter.read_bytes())
    changed[-1] ^= 1
    adapter.write_bytes(bytes(changed))
    with pytest.raises(EncoderError, match="not the file it describes"):
        StatisticalLayer.load(adapter)


def test_a_changed_encoder_is_refused(tmp_path: Path) -> None:
    built = build_risk_encoder()
    folder = tmp_path / built.name
    shutil.copytree(built, folder)
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(TamperedError, match="has changed"):
        StatisticalLayer.load(cache=tmp_path)


@pytest.mark.parametrize("broken", ["{", "{}", '{"thresholds": {"high": 2}}'])
def test_a_broken_provenance_is_refused_with_a_remedy(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ADAPTER.parent, folder)
    (folder / "provenance.json").write_text(broken)
    with pytest.raises(EncoderError, match="Restore data/risk/model"):
        StatisticalLayer.load(folder / ADAPTER.name)


def test_the_adapter_stays_small_enough_to_keep_in_git() -> None:
    assert ADAPTER.stat().st_size <= 3_000_000


def test_the_base_encoder_has_no_scores() -> None:
    with pytest.raises(ValueError, match="no scores"):
        Encoder.load(build_base()).scores("hello")


# Measuring


def _file(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("{not json", "line 2: not JSON"),
        ({"level": "high"}, "line 2: “text”"),
        ({"text": " ", "level": "high"}, "line 2: “text”"),
        ({"text": "hello", "level": "severe"}, "line 2: “level” is 'severe'. Remedy: use one of none, c"),
        ({"text": "hello", "level": "none", "categories": ["hunger"]}, "line 2: “categories” is 'hunger'"),
        ({"text": "hello", "level": "none", "categories": "neglect"}, "line 2: “categories” is not a list"),
        ({"text": "hello", "level": "none", "about": "cat"}, "line 2: “about” is 'cat'"),
        ({"text": "hello", "level": "none", "before": "hi"}, "line 2: “before” is not a list"),
        ({"text": "hello", "level": "none", "before": ["hi", " "]}, "line 2: “before” is not a list"),
        ([1], "line 2: not a JSON object"),
    ],
)
def test_a_malformed_line_is_named_with_a_remedy(tmp_path: Path, row: object, complaint: str) -> None:
    path = _file(tmp_path, {"text": "hello", "level": "none"}, row)
    with pytest.raises(LabelError) as caught:
        evaluate_file(path)
    assert complaint in str(caught.value) and "Remedy:" in str(caught.value)


def test_the_wilson_interval_is_the_published_one() -> None:
    low, high = wilson(81, 263)  # Wilson 1927, as worked in Newcombe 1998, table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 0) == (0.0, 1.0)


def test_every_printed_figure_can_be_counted_again_from_the_json(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        {"text": "my dad hits me", "level": "high", "categories": ["physical_abuse"], "about": "self"},
        {"text": "im on a bridge", "level": "immediate", "categories": ["suicide"], "about": "self"},
        {"text": "what time do you open", "level": "none", "categories": [], "about": "self"},
        {"text": "my parents argue all the time", "level": "concern", "categories": ["family_conflict"]},
        {"text": "what is the capital of france", "level": "high", "categories": ["neglect"]},
    )
    report = json.loads(json.dumps(evaluate_file(path).to_dict()))
    raised = {"high", "immediate"}
    serious = [row for row in report["rows"] if row["level"] in raised]
    heard = [row for row in serious if row["found"]["level"] in raised]
    assert report["figures"]["sensitivity"]["hits"] == len(heard) == 2
    assert report["figures"]["sensitivity"]["total"] == len(serious) == 3
    named = [r for r in serious if set(r["categories"]) & set(r["found"]["categories"])]
    assert report["figures"]["category recall"]["hits"] == len(named)
    assert [row["line"] for row in report["rows"] if "sensitivity" in row["misses"]] == [5]
    assert report["groups"]["level"]["none"]["specificity"]["total"] == 1


def test_a_concern_that_is_escalated_counts_as_a_miss() -> None:
    measure = next(m for m in MEASURES if m.name == "over-escalation")
    assert measure.good is False
    report = evaluate([], default_detector())
    assert report.figures()["over-escalation"] == Share(0, 0)


def test_a_burst_is_measured_by_the_most_it_told_at_any_time(tmp_path: Path) -> None:
    told = {"before": ["my stepdad hurts me"], "text": "ok thanks", "level": "high"}
    pieces = {"before": ["my step dad", "when mums at work", "gets in"], "text": "my bed", "level": "high"}
    report = evaluate_file(_file(tmp_path, told, pieces, {"text": "ok thanks", "level": "none"}))
    assert [o.finding.level for o in report.outcomes] == [Level.HIGH, Level.HIGH, Level.NONE]
    assert report.groups()["sent"]["in several messages"]["sensitivity"].total == 2
    assert report.to_dict()["rows"][1]["before"] == pieces["before"]


def test_the_rasa_component_and_the_gateway_find_the_same() -> None:
    from rasa.shared.nlu.constants import METADATA, TEXT
    from rasa.shared.nlu.training_data.message import Message as RasaMessage

    from bot.risk.component import RISK, RiskGuard
    from bot.risk.detector import assess

    texts = ["he waits till mum is out then comes in my room", "mum will kill me lol", "no food again"]
    guard = RiskGuard(default_detector())
    for text in texts:
        (message,) = guard.process([RasaMessage({TEXT: text})])
        assert message.get(RISK) == assess(text).to_dict()
    memory = Memory(just_said="my step dad when mums at work gets in")
    (message,) = guard.process(
        [RasaMessage({TEXT: "my bed", METADATA: {"earshot": {"memory": memory.to_dict()}}})]
    )
    assert message.get(RISK) == assess("my bed", memory).to_dict() and message.get(RISK)["level"] == "high"


def test_whom_it_is_about_is_taken_from_the_encoder_only_where_words_are_silent() -> None:
    detector = default_detector()
    assert detector.assess("my son said he wants to die").about is About.OWN_CHILD
    assert detector.assess("he told me", Memory(about=About.FRIEND)).about is About.FRIEND


@pytest.mark.parametrize("about", [About.FRIEND, About.OWN_CHILD, About.OTHER_CHILD])
def test_which_child_he_is_the_conversation_knows_better_than_the_encoder(about: About) -> None:
    finding = default_detector().assess(
        "he told me his dad punches him when he has been drinking", Memory(about=about)
    )
    assert finding.level is Level.HIGH and finding.about is about


def test_a_message_between_worry_and_harm_is_undecided(normaliser: Normaliser) -> None:
    message = _message(normaliser, "things with my stepdad are getting weird at home lately")
    between = Reading((_part(message, (0.3, 0.3, 0.3, 0.1)),))
    assert undecided(message, [], between, AT)
    assert not undecided(message, [_phrase(Level.HIGH)], between, AT), "harm was found: nothing to ask"
    assert not undecided(message, [], Reading((_part(message, (0.5, 0.3, 0.15, 0.05)),)), AT)
