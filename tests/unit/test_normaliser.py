"""How Earshot reads what people type."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.data_files import DataFileError
from bot.nlu.normaliser import Normaliser

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def normaliser() -> Normaliser:
    return Normaliser.load(DATA)


def read(normaliser: Normaliser, text: str) -> str:
    return " ".join(normaliser.norms(text))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("i wanna dye", "i want to die"),
        ("dont", "do not"),
        ("don’t", "do not"),
        ("cba", "can not be bothered"),
        ("i h8 u", "i hate you"),
        ("2nite", "tonight"),
        ("stpdad hurtz me", "stepdad hurts me"),
        ("my m8 rn", "my mate right now"),
        ("idk", "i do not know"),
        ("kms", "kill myself"),
        ("sh again", "self harm again"),
    ],
)
def test_text_speak_is_read_in_plain_words(normaliser: Normaliser, typed: str, meant: str) -> None:
    assert read(normaliser, typed) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("iwanttodie", "i want to die"),
        ("IWANTTODIE", "i want to die"),
        ("mydadhitsme help", "my dad hits me help"),
        ("thebabyisntbreathing", "the baby is not breathing"),
        ("hurtme", "hurt me"),
        ("iloveu", "i love you"),
        ("idontwanttogohomebecausemydadhitsme", "i do not want to go home because my dad hits me"),
        ("i d o n t w a n t t o g o", "i do not want to go"),
    ],
)
def test_a_sentence_without_spaces_is_read_as_its_words(
    normaliser: Normaliser, typed: str, meant: str
) -> None:
    assert read(normaliser, typed) == meant


@pytest.mark.parametrize(
    "name",
    [
        "harmanpreet",
        "featherstone",
        "killingbeck",
        "lewandowski",
        "hahahahaha",
        "asdfghjkl",
        "bedroom",
        # "sh" is text-speak for self-harm, and these came out as that
        "ashish",
        "aneesh",
        "avinash",
        "hesham",
        "aishah",
        "shabana",
        "shisha",
        "skittish",
        "twentyish",
        "lando",
        "sherbet",
        "rapping",
        "munching",
        "snuggled",
        "bathed",
        "scolded",
        "bantering",
    ],
)
def test_names_things_and_noise_are_not_read_as_other_words(normaliser: Normaliser, name: str) -> None:
    assert read(normaliser, f"and {name} came") == f"and {name} came"


def test_a_hundred_letters_without_a_space_cost_no_time(normaliser: Normaliser) -> None:
    began = time.process_time()
    for n in range(50):
        normaliser.norms("idontwanttogohomebecausehe"[: 20 + n % 6] * 4 + "hurtsme" + "ab"[n % 2] * (n % 7))
    assert time.process_time() - began < 2.5


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("su1cide", "suicide"),
        ("s3lf h@rm", "self harm"),
        ("k1ll", "kill"),
        ("r*pe", "rape"),
        ("k i l l", "kill"),
        ("s.e.x", "sex"),
        ("k-i-l-l", "kill"),
        ("k i l l m y s e l f", "kill myself"),
        ("h i t m e", "hit me"),
        ("sui\u200bcide", "suicide"),
        ("su\u0456\u0441ide", "suicide"),
        ("ｋｉｌｌ", "kill"),
        ("ḱíĺĺ", "kill"),
        ("pleeeease", "please"),
        ("killlll", "kill"),
    ],
)
def test_evasive_spelling_is_seen_through(normaliser: Normaliser, typed: str, meant: str) -> None:
    assert read(normaliser, typed) == meant


def test_scard_is_scared_and_not_card(normaliser: Normaliser) -> None:
    assert read(normaliser, "im scard") == "i am scared"


@pytest.mark.parametrize("text", ["dye is a colour of card", "my nan is kind", "roblox with abba"])
def test_a_known_word_is_never_corrected(normaliser: Normaliser, text: str) -> None:
    known = [w for w in normaliser.words(text) if w.text != "dye"]
    assert [w.norm for w in known] == [w.text for w in known]


def test_a_name_in_the_middle_of_a_sentence_is_not_a_typo(normaliser: Normaliser) -> None:
    assert "zackk" in read(normaliser, "i told Zackk about it").split()


def test_text_speak_letters_are_not_joined(normaliser: Normaliser) -> None:
    assert read(normaliser, "u r a idiot") == "you are a idiot"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "😀" * 1000,
        "\ud800",
        "a\udc00b",
        "a" * 50_000,
        "a " * 25_000,
        "a.b" * 15_000,
        "é" * 50_000,
    ],
)
def test_any_string_is_survived_quickly(normaliser: Normaliser, text: str) -> None:
    began = time.perf_counter()
    normaliser.words(text)
    assert time.perf_counter() - began < 3


@given(st.text(alphabet=st.characters(), max_size=300))
@settings(max_examples=200, deadline=None)
def test_offsets_point_into_the_text_as_typed(text: str) -> None:
    end = 0
    for word in _LOADED.words(text):
        assert text[word.start : word.end] == word.text
        assert end <= word.start < word.end
        assert word.norm and word.norm == word.norm.strip()
        end = word.end


_LOADED = Normaliser.load(DATA)


def test_reading_takes_a_fraction_of_a_millisecond_a_word(normaliser: Normaliser) -> None:
    text = "i dont realy want to go home tonite my stepdad hits me when hes had a drink " * 20
    normaliser.words(text)
    began = time.perf_counter()
    words = normaliser.words(text)
    assert (time.perf_counter() - began) / len(words) < 0.0005


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("slang: {}\ncontractions: {im: i am}", "slang"),
        ("slang: {u: [you]}\ncontractions: {im: i am}", "slang: u"),
        ("slang: {u: yes}\ncontractions: {im: i am}", "slang: u"),
        ("slang: [", "line"),
        ("slang: {u: you}\ncontractions: {im: i am}\nnumber_words: {'2': to}", "number_words: 2"),
    ],
)
def test_a_broken_slang_table_names_file_entry_and_remedy(tmp_path: Path, content: str, named: str) -> None:
    (tmp_path / "nlu").mkdir()
    (tmp_path / "nlu" / "slang.yml").write_text(content)
    with pytest.raises(DataFileError) as error:
        Normaliser.load(tmp_path, [])
    assert "nlu/slang.yml" in str(error.value)
    assert named in str(error.value)
    assert "Remedy" in str(error.value)
