"""Reads what people type as plain words: text-speak, evasive spelling, missing spaces, typos.

Pure: no Rasa. The risk detector and the Rasa tokenizer both read messages through this, so that a
word means the same in both. The text itself is never changed: every :class:`Word` carries offsets
into the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from symspellpy import SymSpell, Verbosity

from bot.data_files import DataFileError, read_yaml

__all__ = ["Normaliser", "Word", "plain_words"]

#: How many of symspellpy's English words are kept, commonest first.
DICTIONARY_WORDS = 30_000
#: Count given to our own words, so that "scard" is read as "scared" and not "card".
OWN_WORD_COUNT = 10**11
#: Shorter words are never corrected: at four letters an edit of one still leaves most of the word.
SHORTEST_CORRECTED = 4
#: A word this long that is none may have been meant for another (:attr:`Word.others`).
SHORTEST_DOUBTED = 3
#: Letters that make several words are this many ("helpme"), or fewer if no word of them is one letter:
#: "r u o k" is four words already.
SHORTEST_RUN_TOGETHER = 6
#: Longer runs of letters are noise or code, neither a misspelt word nor a sentence without spaces.
LONGEST_WORD = 80


@dataclass(frozen=True)
class Word:
    """One word as typed and as read.

    ``norm`` is lower case and may hold several words ("wanna" is "want to"), separated by a space.
    ``start`` and ``end`` are character offsets into the original text. ``others`` are the words one
    slip of the finger away, where what was typed is no word: "lfe" is left as it is, and could be "life".
    """

    text: str
    start: int
    end: int
    norm: str
    others: tuple[str, ...] = ()


# Letters of other scripts that look like ours; used to slip a word past a filter.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏтмкнвгπαβεικνορτυχωϲⅼ∂ßłøđıƒ",
    "aeopcyxijsdhltmkhbrnabeiknoptuxwcldslodif",
)
_LEET = {
    "0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s", "!": "i", "|": "li", "€": "e", "£": "l", "+": "t",
}  # fmt: skip
_SYMBOLS = "@$!|€£+*"
_WORD = re.compile(rf"[@$£€]?[^\W_]+(?:['’`´{re.escape(_SYMBOLS)}]+[^\W_]+)*")
_SPACED = re.compile(r"(?<![^\W_'’])[^\W\d_](?:([ .\-*/,·•])\1?[^\W\d_]){2,}(?![^\W_])")
_RUN = re.compile(r"(.)\1{2,}")
_DOUBLE = re.compile(r"(.)\1+")
_TRAILING_DIGIT = re.compile(r"^(\d{1,2})(yo|yr|yrs|year|years|y)$")
#: Words of one letter that stand in a sentence without spaces; "r" and "n" would cut names to pieces.
_LETTERS = frozenset("aiu")
_PRONOUNS = frozenset("i im ive me my you he hes she shes him her we us they them".split())
_SENTENCE_END = re.compile(r"[.!?\n:]")


def _fold_char(char: str) -> str:
    """One character in lower case, without marks, in our alphabet; empty if it is invisible."""
    category = unicodedata.category(char)
    if category in ("Cf", "Mn", "Me"):
        return ""
    if category in ("Cs", "Cc", "Co", "Cn"):
        return " " if char != "\n" else "\n"
    folded = unicodedata.normalize("NFKD", char).lower()
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    if len(folded) > 1:  # One character is never two words: a quarter sign is "14", not "1" and "4".
        folded = "".join(c for c in folded if c.isalnum()) or " "
    return folded.translate(_LOOKALIKES)


_fold_cached = lru_cache(maxsize=4096)(_fold_char)


def fold(text: str) -> tuple[str, list[int]]:
    """The text folded for reading, and for every folded character its offset in the original."""
    if text.isascii() and text.isprintable():
        return text.lower(), list(range(len(text)))
    letters: list[str] = []
    offsets: list[int] = []
    for offset, char in enumerate(text):
        for letter in _fold_cached(char):
            letters.append(letter)
            offsets.append(offset)
    return "".join(letters), offsets


class Normaliser:
    """Reads text as words in their plain form. Made by :meth:`load`; holds no state of a message."""

    def __init__(
        self,
        slang: Mapping[str, str],
        contractions: Mapping[str, str],
        number_words: Mapping[str, tuple[str, frozenset[str]]],
        own_words: Iterable[str],
    ) -> None:
        self._slang = {**slang, **contractions}
        self._abbreviations = frozenset(word for word in slang if len(word) == 2)
        self._number_words = dict(number_words)
        self._speller = SymSpell(max_dictionary_edit_distance=1, prefix_length=7)
        own = {word for word in own_words if word.isalpha()}
        own.update(w for reading in self._slang.values() for w in reading.split() if w.isalpha())
        self._own = frozenset(own)
        for word, count in _english():
            if word not in own:
                self._speller.create_dictionary_entry(word, count)
        for word in sorted(own):
            self._speller.create_dictionary_entry(word, OWN_WORD_COUNT)
        self._read = lru_cache(maxsize=20_000)(self._read_word)
        self._others = lru_cache(maxsize=20_000)(self._one_slip_away)
        self._spelt = lru_cache(maxsize=20_000)(self._spell)

    @classmethod
    def load(cls, data_dir: Path, vocabulary: Iterable[str] | None = None) -> Normaliser:
        """A normaliser from ``data_dir/nlu/slang.yml`` and the words of the risk families.

        Args:
            data_dir: the project's ``data`` folder.
            vocabulary: the words of all phrase families, if the caller has read them already;
                otherwise they are read from ``data_dir/risk``.

        Raises:
            DataFileError: the slang table cannot be used.
        """
        path = data_dir / "nlu" / "slang.yml"
        data = read_yaml(path)
        if not isinstance(data, dict):
            raise DataFileError(path, "the file", "has no sections.", "begin with a line `slang:`.")
        slang, contractions = (_table(path, data, section) for section in ("slang", "contractions"))
        numbers = {}
        for digit, rule in (data.get("number_words") or {}).items():
            if not isinstance(rule, dict) or not rule.get("reads") or not rule.get("after"):
                raise DataFileError(
                    path, f"number_words: {digit}", "needs `reads` and `after`.", "copy the entry above it."
                )
            numbers[str(digit)] = (str(rule["reads"]), frozenset(str(w) for w in rule["after"]))
        words = vocabulary
        if words is None:
            files = sorted((data_dir / "risk").glob("*.yml"))
            words = {word for file in files for word in plain_words(read_yaml(file))}
        own = {str(w) for w in data.get("keep") or ()} | {w for word in words for w in _split(word)}
        return cls(slang, contractions, numbers, own)

    def words(self, text: str) -> list[Word]:
        """The words of a text, in order. Never fails, whatever the string holds."""
        folded, offsets = fold(text)
        spaced = self._spaced_out(folded)
        shouting = text.isupper()
        words: list[Word] = []
        previous = ""
        position = 0
        while match := _WORD.search(folded, position):
            start, end = match.span()
            joined = spaced.get(start)
            others: tuple[str, ...] = ()
            if joined:
                end, norm = joined
            else:
                raw = match.group()
                others = self._others(raw)
                norm = self._norm(raw, previous, lambda s=start: not shouting and _is_name(text, offsets[s]))
            position = end
            first, last = offsets[start], offsets[end - 1] + 1
            words.append(Word(text[first:last], first, last, norm, tuple(o for o in others if o != norm)))
            previous = norm.rsplit(" ", 1)[-1]
        return words

    def norms(self, text: str) -> list[str]:
        """The plain words of a text, one by one ("wanna" gives two)."""
        return [part for word in self.words(text) for part in word.norm.split()]

    def knows(self, word: str) -> bool:
        """Whether a plain word is in the dictionary, our vocabulary or the slang table."""
        return word in self._speller.words or word in self._slang

    def _norm(self, raw: str, previous: str, is_name: Any) -> str:
        if raw in self._number_words:
            reads, after = self._number_words[raw]
            return reads if previous in after else raw
        norm, needs_speller = self._read(raw)
        if needs_speller and not is_name():
            return self._spelt(norm)
        return norm

    def _read_word(self, raw: str) -> tuple[str, bool]:
        """The plain form of one folded word, and whether only the spelling corrector may know it."""
        word = raw.replace("’", "'").replace("`", "'").replace("´", "'")
        if found := self._slang.get(word):
            return found, False
        if "'" in word:
            return self._without_apostrophe(word), False
        if word.isalpha() and word.isascii():
            if word in self._speller.words:
                return word, False
            for shorter in _unstretched(word):
                if shorter in self._slang:
                    return self._slang[shorter], False
                if shorter in self._speller.words:
                    return shorter, False
            return word, SHORTEST_CORRECTED <= len(word) <= LONGEST_WORD
        if match := _TRAILING_DIGIT.match(word):
            return f"{match[1]} {'years old' if match[2] in ('yo', 'y') else 'years'}", False
        if word.isdigit() or len(word) > LONGEST_WORD:
            return word, False
        return self._without_disguise(word), False

    def _without_apostrophe(self, word: str) -> str:
        stem, _, ending = word.partition("'")
        bare = word.replace("'", "")
        if bare in self._slang:
            return self._slang[bare]
        if ending in ("re", "ve", "ll", "d", "m"):
            reading = {"re": "are", "ve": "have", "ll": "will", "d": "would", "m": "am"}[ending]
            return f"{self._slang.get(stem, stem)} {reading}"
        if ending == "t" and stem.endswith("n"):
            return f"{stem[:-1]} not"
        return bare

    def _without_disguise(self, word: str) -> str:
        """A word with digits or signs for letters, if that gives a word we know."""
        if "*" in word:
            pattern = re.compile(re.sub(r"\*+", lambda m: f"[a-z]{{{len(m[0])}}}", re.escape(word)
                                        .replace(r"\*", "*")) + "$")  # fmt: skip
            hits = [own for own in self._own if len(own) == len(word) and pattern.match(own)]
            return min(hits) if hits else word.replace("*", "")
        choices = [_LEET.get(letter, letter) for letter in word]
        if sum(len(choice) > 1 for choice in choices) > 4:
            return word
        for letters in product(*choices):
            candidate = "".join(letters)
            if candidate in self._slang:
                return self._slang[candidate]
            if candidate in self._speller.words:
                return candidate
            for shorter in _unstretched(candidate):
                if shorter in self._speller.words:
                    return self._slang.get(shorter, shorter)
        return word

    def _spell(self, word: str) -> str:
        found = self._speller.lookup(word, Verbosity.TOP, max_edit_distance=1)
        if not found:
            return self._run_together(word) or word
        best = found[0].term
        return self._slang.get(best, best)

    def _run_together(self, word: str) -> str:
        """The words of a sentence typed without spaces ("iwanttodie"); empty where it is none.

        Two are a sentence only with a pronoun among them: "hurtme", and not "homework", which is a thing.
        """
        pieces = self._apart(word) if len(word) >= SHORTEST_RUN_TOGETHER else []
        if len(pieces) < 2 or (len(pieces) == 2 and _PRONOUNS.isdisjoint(pieces)):
            return ""
        return self._plain(pieces)

    def _plain(self, words: Iterable[str]) -> str:
        return " ".join(self._read(word)[0] for word in words)

    def _apart(self, letters: str) -> list[str]:
        """Letters cut into our own words, or nothing if they do not come out even."""
        found = self._speller.word_segmentation(letters, max_edit_distance=0)
        pieces: list[str] = found.corrected_string.split()
        if len(letters) < SHORTEST_RUN_TOGETHER and any(len(piece) == 1 for piece in pieces):
            return []
        return pieces if all(map(self._stands_alone, pieces)) else []

    def _stands_alone(self, piece: str) -> bool:
        """Whether it is a word of a sentence without spaces: "sh" for self-harm is not ("ashish")."""
        if len(piece) == 1:
            return piece in _LETTERS
        return piece in self._own and piece not in self._abbreviations

    def _one_slip_away(self, raw: str) -> tuple[str, ...]:
        """The words that may have been meant; none for what is a word."""
        if not (SHORTEST_DOUBTED <= len(raw) <= LONGEST_WORD and raw.isascii() and raw.isalpha()):
            return ()
        if self.knows(raw):
            return ()
        near = self._speller.lookup(raw, Verbosity.ALL, max_edit_distance=1)
        words = sorted({found.term for found in near if len(found.term) > SHORTEST_DOUBTED})
        return tuple(self._slang.get(word, word) for word in words)

    def _spaced_out(self, folded: str) -> dict[int, tuple[int, str]]:
        """Words written letter by letter ("k i l l", "s.e.x"): start offset to end offset and norm."""
        found: dict[int, tuple[int, str]] = {}
        for match in _SPACED.finditer(folded):
            letters = "".join(c for c in match.group() if c.isalpha())
            if len(letters) > LONGEST_WORD:
                continue
            reading = letters if letters in self._own else self._plain(self._apart(letters))
            if reading:
                found[match.start()] = (match.end(), reading)
        return found


def _is_name(text: str, start: int) -> bool:
    """Whether a word is Capitalised in the middle of a sentence: a name, not a typo."""
    if not text[start].isupper() or not text[start + 1 : start + 2].islower():
        return False
    before = text[:start].rstrip(" \t\"'“‘(")[-1:]
    return bool(before) and not _SENTENCE_END.match(before)


def _unstretched(word: str) -> list[str]:
    """A word with its stretched letters cut to two or one, likeliest first; empty if none are."""
    if not _RUN.search(word):
        return []
    runs = [m.group() for m in re.finditer(r"(.)\1*", word)]
    choices = [(run[0] * 2, run[0]) if len(run) > 2 else (run,) for run in runs]
    if sum(len(choice) > 1 for choice in choices) > 5:
        return [_DOUBLE.sub(r"\1", word)]
    shapes = ["".join(shape) for shape in product(*choices)]
    # "plleeease": the stretch was of one letter only, but a doubled one is left.
    return [*shapes, _RUN.sub(r"\1", word), _DOUBLE.sub(r"\1", word)]


def _split(phrase: str) -> list[str]:
    return re.findall(r"[a-z]+", phrase.lower())


@lru_cache(maxsize=1)
def _english() -> tuple[tuple[str, int], ...]:
    """symspellpy's own English words with their frequency, commonest first."""
    import symspellpy

    path = Path(symspellpy.__file__).with_name("frequency_dictionary_en_82_765.txt")
    entries = []
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            word, _, count = line.partition(" ")
            entries.append((word, int(count)))
            if len(entries) == DICTIONARY_WORDS:
                break
    return tuple(entries)


def _table(path: Path, data: Mapping[str, Any], section: str) -> dict[str, str]:
    rows = data.get(section)
    if not isinstance(rows, dict) or not rows:
        raise DataFileError(path, section, "is missing or empty.", f"add a section `{section}:`.")
    for key, reading in rows.items():
        if not isinstance(key, str) or not isinstance(reading, str) or not reading.strip():
            raise DataFileError(
                path, f"{section}: {key}", "is not a word and its reading.", 'put both in "quotes".'
            )
    return {key.lower(): " ".join(reading.lower().split()) for key, reading in rows.items()}


def plain_words(data: Any) -> set[str]:
    """Every word of the phrases and word sets in one file of ``data/risk``, not of its examples (typos)."""
    found: set[str] = set()
    if not isinstance(data, dict):
        return found
    for value in data.values():
        if isinstance(value, dict):
            lists = [members for members in value.values() if isinstance(members, list)]
        elif isinstance(value, list):
            lists = [
                e["phrases"] for e in value if isinstance(e, dict) and isinstance(e.get("phrases"), list)
            ]
        else:
            continue
        found.update(word for texts in lists for text in texts for word in _split(str(text)))
    return found
