"""Tokens quote the person; their lemmas are plain English."""

from __future__ import annotations

import pytest
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.tokenizers.tokenizer import Token
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.messages import MAX_TEXT
from bot.nlu.normaliser import Normaliser
from bot.nlu.tokenizer import DATA, NormalisingTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> NormalisingTokenizer:
    return NormalisingTokenizer(NormalisingTokenizer.get_default_config(), Normaliser.load(DATA))


def tokens(tokenizer: NormalisingTokenizer, text: str) -> list[Token]:
    (message,) = tokenizer.process([Message(data={TEXT: text})])
    return message.get(TOKENS_NAMES[TEXT])


def test_a_token_keeps_the_typed_text_and_its_lemma_is_plain(tokenizer) -> None:
    found = tokens(tokenizer, "I wanna talk 2 u, im scard")
    assert [token.text for token in found] == ["I", "wanna", "talk", "2", "u", "im", "scard"]
    lemmas = " ".join(token.lemma for token in found)
    assert "want to" in lemmas
    assert lemmas.endswith("scared")


@pytest.mark.parametrize(
    "text",
    ["help me pls 🙏🏽 now", "su1cide", "no-one's home", "é à la maison", "a\x00b c", "👍", "tab\tline\nend"],
)
def test_offsets_point_into_the_message_as_typed(tokenizer, text) -> None:
    found = tokens(tokenizer, text)
    assert found
    assert all(text[token.start : token.end] == token.text for token in found)
    assert [token.start for token in found] == sorted(token.start for token in found)


def test_an_emoji_is_a_word_with_its_name(tokenizer) -> None:
    assert [token.lemma for token in tokens(tokenizer, "👍")] == ["thumbs up sign"]
    lemmas = [token.lemma for token in tokens(tokenizer, "sad 😭 today")]
    assert lemmas == ["sad", "loudly crying face", "today"]


@pytest.mark.parametrize("text", ["", "   ", "?!", "\x00", "\u200b"])
def test_a_text_without_words_has_no_tokens(tokenizer, text) -> None:
    assert tokens(tokenizer, text) == []


def test_a_huge_text_is_read_as_far_as_a_message_may_be_long(tokenizer) -> None:
    found = tokens(tokenizer, "help me " * 9_000)
    assert found[-1].end <= MAX_TEXT
    assert len(found) == MAX_TEXT // 4


def test_an_intents_name_is_never_normalised(tokenizer) -> None:
    (message,) = tokenizer.process([Message(data={TEXT: "u ok", INTENT: "r_u_real"})])
    assert [token.text for token in message.get(TOKENS_NAMES[INTENT])] == ["r_u_real"]


def test_a_change_of_the_slang_table_moves_rasas_fingerprint(tmp_path, monkeypatch) -> None:
    config = NormalisingTokenizer.get_default_config()
    (tmp_path / "nlu").mkdir()
    (tmp_path / "risk").mkdir()
    table = tmp_path / "nlu" / "slang.yml"
    monkeypatch.setattr("bot.nlu.tokenizer.DATA", tmp_path)
    table.write_text("slang: {u: you}\n", encoding="utf-8")
    before = NormalisingTokenizer.fingerprint_addon(config)
    assert NormalisingTokenizer.fingerprint_addon(config) == before
    table.write_text("slang: {u: you, r: are}\n", encoding="utf-8")
    after = NormalisingTokenizer.fingerprint_addon(config)
    (tmp_path / "risk" / "neglect.yml").write_text("families: []\n", encoding="utf-8")
    assert len({before, after, NormalisingTokenizer.fingerprint_addon(config)}) == 3
