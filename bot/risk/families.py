"""Loads and checks the reviewed phrase families, guards and word sets of ``data/risk``.

A file that cannot be used is refused with the file, the entry and the remedy: Earshot does not start
without its safety net. The cheap checks run on every load; that every example comes out as it says
is checked by :func:`bot.risk.examples.check_examples`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from bot.data_files import DataFileError, read_yaml
from bot.nlu.normaliser import Normaliser, plain_words
from bot.risk.phrases import Phrase, PhraseError, Vocabulary, parse
from bot.risk.taxonomy import About, Category, Level

__all__ = ["Family", "Governs", "Guard", "Relation", "RiskData", "RiskDataError", "Sign", "load"]

#: Fewest examples a family must bring, so that nobody adds a phrase without showing what it means.
FEWEST_MATCH = 6
FEWEST_NOT_MATCH = 4
#: Files of ``data/risk`` that are not topics.
WORDS, HARMLESS, ABOUT, ANSWERS = "words.yml", "harmless.yml", "about.yml", "answers.yml"
SIGNS = "signs.yml"
_OTHERS = (WORDS, HARMLESS, ABOUT, ANSWERS, SIGNS)
#: How the names of all files of guards begin: those for the phrases of some topics alone stand in files
#: of their own, such as ``harmless_home.yml``.
_OF_GUARDS = "harmless"
#: The headings under which practitioners group signs of neglect.
HEADINGS = ("physical", "emotional", "educational", "parental")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class RiskDataError(DataFileError):
    """A file of ``data/risk`` that cannot be used as it stands."""


@dataclass(frozen=True)
class Family:
    """Phrases that tell of one kind of harm, at one level, for one reason.

    ``needs`` is set for phrases that mean danger only beside something else ("he is outside my
    door"): they count only when the message, or the conversation so far, already tells of harm at
    ``high`` in one of these categories.
    """

    name: str
    why: str
    level: Level
    categories: tuple[Category, ...]
    phrases: tuple[Phrase, ...]
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]
    about: About | None
    needs: frozenset[Category]
    reviewed_by: str
    reviewed_on: str
    file: str


class Governs(str, Enum):
    """Which matches of a family a guard takes back."""

    INSIDE = "inside"  # those lying wholly inside the guard's own words: idioms
    OVER = "over"  # those that end inside the guard's words: "he [beat me at chess]"
    NEXT = "next"  # the one that begins right after the guard: negation
    AFTER = "after"  # those after it in the same clause: "a film where ..."
    BEFORE = "before"  # those before it in the same clause: "... in roblox"
    CLAUSE = "clause"  # those anywhere in the same clause
    ENCODER = "encoder"  # none: its own words are harmless, and the encoder must be surer to say otherwise


@dataclass(frozen=True)
class Guard:
    """Words that make a phrase harmless where they stand, never for the whole message.

    A match that holds one of ``spares``, or is followed by one of ``unless``, stays; with ``only``, the
    guard holds for the families of these names alone.
    """

    name: str
    why: str
    governs: Governs
    phrases: tuple[Phrase, ...]
    spares: frozenset[str]
    unless: frozenset[str]
    only: frozenset[str]
    innocent: tuple[str, ...]
    still_heard: tuple[str, ...]
    file: str


@dataclass(frozen=True)
class Relation:
    """Words that tell whose safety a message is about."""

    about: About
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class Answer:
    """How a bare answer to a question the bot asked is read; with level ``none``, what it tells is no harm.

    ``alone``: only where the message holds nothing else.
    """

    name: str
    asked: tuple[str, ...]
    level: Level
    categories: tuple[Category, ...]
    phrases: tuple[Phrase, ...]
    alone: bool = False


@dataclass(frozen=True)
class Sign:
    """Words that name one sign of neglect, such as food or being left alone; no level of their own."""

    name: str
    heading: str
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True)
class RiskData:
    """Everything that phrases and memory work from.

    ``questions`` holds the questions of the bot, by name, as the encoder reads them before their answers,
    ``to_the_bot`` what is said to the bot and continues no thought that was sent before it.
    """

    normaliser: Normaliser
    families: tuple[Family, ...]
    guards: tuple[Guard, ...]
    relations: tuple[Relation, ...]
    answers: tuple[Answer, ...]
    questions: Mapping[str, str]
    to_the_bot: tuple[Phrase, ...]
    signs: tuple[Sign, ...]
    first_person: frozenset[str]
    negators: frozenset[str]
    clause_breaks: tuple[Phrase, ...]


def load(data_dir: Path) -> RiskData:
    """Read and check ``data_dir/risk``.

    Raises:
        RiskDataError: anything there that cannot be used, with file, entry and remedy.
    """
    folder = data_dir / "risk"
    contents = {path.name: (path, _mapping(path)) for path in sorted(folder.glob("*.yml"))}
    for needed in _OTHERS:
        if needed not in contents:
            raise RiskDataError(folder / needed, "the file", "is missing.", "put it back from git.")
    of_guards = {name: content for name, content in contents.items() if name.startswith(_OF_GUARDS)}
    topics = [content for name, content in contents.items() if name not in {*_OTHERS, *of_guards}]
    if not topics:
        raise RiskDataError(folder, "the folder", "holds no topic file.", "put them back from git.")

    normaliser = Normaliser.load(
        data_dir, {word for _, data in contents.values() for word in plain_words(data)}
    )
    reader = _Reader(Vocabulary(_sets(*contents[WORDS]), normaliser.norms))
    families = tuple(family for path, data in topics for family in reader.families(path, data))
    guards = tuple(guard for path, data in of_guards.values() for guard in reader.guards(path, data))
    known = _each_named_once(folder, "family", families)
    _each_named_once(folder, "guard", guards)
    for guard in guards:
        if unknown := guard.only - known:
            raise RiskDataError(
                folder / guard.file, guard.name, f"`only` names {min(unknown)}, which is no family.",
                "correct the name.",
            )  # fmt: skip
    path, harmless = contents[HARMLESS]
    about_path, about = contents[ABOUT]
    answers_path, answers = contents[ANSWERS]
    return RiskData(
        normaliser=normaliser,
        families=families,
        guards=guards,
        relations=tuple(reader.relations(about_path, about)),
        answers=tuple(reader.answers(*contents[ANSWERS])),
        questions=reader.questions(*contents[ANSWERS]),
        to_the_bot=reader.phrases(answers_path, "to_the_bot", answers.get("to_the_bot")),
        signs=tuple(reader.signs(*contents[SIGNS])),
        first_person=reader.plain(about_path, "first_person", about),
        negators=reader.plain(path, "negators", harmless),
        clause_breaks=reader.phrases(path, "clause_breaks", harmless.get("clause_breaks")),
    )


def _each_named_once(folder: Path, kind: str, entries: Sequence[Family | Guard]) -> set[str]:
    """The names of all entries, none of which may stand twice."""
    files: dict[str, str] = {}
    for entry in entries:
        if entry.name in files:
            raise RiskDataError(
                folder / entry.file, entry.name, f"is already a {kind} in {files[entry.name]}.",
                "give one of them another name.",
            )  # fmt: skip
        files[entry.name] = entry.file
    return set(files)


class _Reader:
    """Turns the content of a file into checked values."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def families(self, path: Path, data: dict[str, Any]) -> Iterator[Family]:
        allowed = {
            "name", "why", "level", "categories", "about", "needs", "phrases",
            "must_match", "must_not_match", "reviewed_by", "reviewed_on",
        }  # fmt: skip
        for entry in _entries(path, data, "families", allowed):
            name = entry["name"]
            matching = _texts(path, name, "must_match", entry, FEWEST_MATCH)
            innocent = _texts(path, name, "must_not_match", entry, FEWEST_NOT_MATCH)
            for key in ("reviewed_by", "reviewed_on"):
                if not isinstance(entry.get(key), str):
                    raise RiskDataError(
                        path, name, f"has no `{key}`.", f'write {key}: "" until it is reviewed.'
                    )
            yield Family(
                name=name,
                why=_why(path, name, entry),
                level=_level(path, name, entry),
                categories=_categories(path, name, entry, "categories", least=0 if entry.get("needs") else 1),
                phrases=self.phrases(path, name, entry.get("phrases")),
                must_match=matching,
                must_not_match=innocent,
                about=_choice(path, name, "about", About, entry["about"]) if entry.get("about") else None,
                needs=frozenset(_categories(path, name, entry, "needs", least=0)),
                reviewed_by=entry["reviewed_by"],
                reviewed_on=entry["reviewed_on"],
                file=path.name,
            )

    def guards(self, path: Path, data: dict[str, Any]) -> Iterator[Guard]:
        allowed = {"name", "why", "governs", "phrases", "spares", "unless", "only", "innocent", "still_heard"}
        for entry in _entries(path, data, "guards", allowed):
            name = entry["name"]
            yield Guard(
                name=name,
                why=_why(path, name, entry),
                governs=_choice(path, name, "governs", Governs, entry.get("governs")),
                phrases=self.phrases(path, name, entry.get("phrases")),
                spares=self.plain(path, "spares", entry) if entry.get("spares") else frozenset(),
                unless=self.plain(path, "unless", entry) if entry.get("unless") else frozenset(),
                only=frozenset(_texts(path, name, "only", entry, 1)) if entry.get("only") else frozenset(),
                innocent=_texts(path, name, "innocent", entry, 2),
                still_heard=_texts(path, name, "still_heard", entry, 1),
                file=path.name,
            )

    def relations(self, path: Path, data: dict[str, Any]) -> Iterator[Relation]:
        for value, phrases in (data.get("about") or {}).items():
            yield Relation(
                _choice(path, "about", "about", About, value), self.phrases(path, str(value), phrases)
            )

    def answers(self, path: Path, data: dict[str, Any]) -> Iterator[Answer]:
        allowed = {"name", "asked", "level", "categories", "alone", "phrases"}
        for entry in _entries(path, data, "answers", allowed):
            name = entry["name"]
            yield Answer(
                name=name,
                asked=_texts(path, name, "asked", entry, 1),
                level=_choice(path, name, "level", Level, entry.get("level")),
                categories=_categories(path, name, entry, "categories", least=0),
                phrases=self.phrases(path, name, entry.get("phrases")),
                alone=_yes_or_no(path, name, entry, "alone"),
            )

    def questions(self, path: Path, data: dict[str, Any]) -> dict[str, str]:
        values = data.get("questions")
        if not isinstance(values, dict) or not all(isinstance(v, str) and v.strip() for v in values.values()):
            raise RiskDataError(
                path, "questions", "is not a list of names and words.", "write `name: the question` each."
            )
        return {str(name): " ".join(self._vocabulary.read(words)) for name, words in values.items()}

    def signs(self, path: Path, data: dict[str, Any]) -> Iterator[Sign]:
        for entry in _entries(path, data, "signs", {"name", "heading", "why", "phrases"}):
            name = entry["name"]
            if entry.get("heading") not in HEADINGS:
                raise RiskDataError(
                    path,
                    name,
                    f"`heading` is “{entry.get('heading')}”.",
                    f"use one of {', '.join(HEADINGS)}.",
                )
            _why(path, name, entry)
            yield Sign(name, entry["heading"], self.phrases(path, name, entry.get("phrases")))

    def phrases(self, path: Path, name: str, sources: Any) -> tuple[Phrase, ...]:
        if not isinstance(sources, list) or not sources:
            raise RiskDataError(path, name, "has no phrases.", "add `phrases:` with at least one phrase.")
        read = []
        for source in sources:
            try:
                if not isinstance(source, str) or not source.strip():
                    raise PhraseError(
                        "a phrase is empty or not text.", 'Write it in "quotes", or take it out.'
                    )
                read.append(parse(source, self._vocabulary))
            except PhraseError as error:
                raise RiskDataError(
                    path, f"{name}: phrase “{source}”", error.problem, error.remedy
                ) from error
        return tuple(read)

    def plain(self, path: Path, key: str, data: dict[str, Any]) -> frozenset[str]:
        """A list of single words and sets; members of several words are left out."""
        try:
            options = [o for member in data[key] for o in self._vocabulary.options(str(member))]
            return frozenset(option[0] for option in options if len(option) == 1)
        except (KeyError, TypeError) as error:
            raise RiskDataError(path, key, "is missing.", f"add `{key}: [...]`.") from error
        except PhraseError as error:
            raise RiskDataError(path, key, error.problem, error.remedy) from error


def _mapping(path: Path) -> dict[str, Any]:
    try:
        data = read_yaml(path)
    except RiskDataError:
        raise
    except DataFileError as error:
        raise RiskDataError(error.file, error.entry, *error.parts) from error
    if not isinstance(data, dict):
        raise RiskDataError(path, "the file", "has no sections.", "begin as the other files here do.")
    return data


def _entries(path: Path, data: dict[str, Any], section: str, allowed: set[str]) -> Iterator[dict[str, Any]]:
    entries = data.get(section)
    if not isinstance(entries, list) or not entries:
        raise RiskDataError(path, section, "is missing or empty.", f"add `{section}:` with an entry.")
    for number, entry in enumerate(entries, 1):
        where = f"{section} {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise RiskDataError(path, where, "has no name.", "begin it with `- name: ...`.")
        if not _NAME.fullmatch(entry["name"]):
            raise RiskDataError(path, entry["name"], "is not a name.", "use small letters and _ only.")
        if unknown := set(entry) - allowed:
            raise RiskDataError(
                path, entry["name"], f"has `{min(unknown)}`, which means nothing.",
                f"use only {', '.join(sorted(allowed))}.",
            )  # fmt: skip
        yield entry


def _texts(path: Path, name: str, key: str, entry: dict[str, Any], least: int) -> tuple[str, ...]:
    values = entry.get(key)
    if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
        raise RiskDataError(path, name, f"`{key}` is not a list of texts.", 'write each in "quotes".')
    if len(values) < least:
        raise RiskDataError(path, name, f"`{key}` holds {len(values)} of at least {least}.", "add more.")
    return tuple(values)


def _why(path: Path, name: str, entry: dict[str, Any]) -> str:
    why = entry.get("why")
    if not isinstance(why, str) or not why.strip():
        raise RiskDataError(path, name, "does not say why.", "add `why:` and one sentence.")
    return why.strip()


def _level(path: Path, name: str, entry: dict[str, Any]) -> Level:
    level = _choice(path, name, "level", Level, entry.get("level"))
    if level is Level.NONE:
        raise RiskDataError(path, name, "has level none.", "put harmless words into harmless.yml.")
    return level


def _categories(path: Path, name: str, entry: dict[str, Any], key: str, least: int) -> tuple[Category, ...]:
    values = entry.get(key) or []
    if not isinstance(values, list) or len(values) < least:
        raise RiskDataError(path, name, f"has no `{key}`.", f"add `{key}: [...]`.")
    return tuple(_choice(path, name, key, Category, value) for value in values)


def _choice(path: Path, name: str, key: str, kind: type[Enum], value: Any) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        raise RiskDataError(
            path, name, f"`{key}` is “{value}”.", f"use one of {', '.join(k.value for k in kind)}."
        ) from error


def _yes_or_no(path: Path, name: str, entry: dict[str, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise RiskDataError(path, name, f"`{key}` is “{value}”.", "write true, or leave it out.")
    return value


def _sets(path: Path, data: dict[str, Any]) -> dict[str, list[str]]:
    sets = data.get("sets")
    if not isinstance(sets, dict) or not sets:
        raise RiskDataError(path, "sets", "is missing or empty.", "add `sets:`.")
    for name, members in sets.items():
        if not isinstance(members, list) or not all(isinstance(m, (str, int)) for m in members):
            raise RiskDataError(
                path,
                f"sets: {name}",
                "is not a list of words.",
                'write [word, word]; put yes and no in "quotes".',
            )
    return sets
