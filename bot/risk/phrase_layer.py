"""The reviewed layer: phrase families, and the guards that take a match back where it is harmless."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from bot.risk.families import Family, Governs, Guard, RiskData
from bot.risk.matching import Message, PhraseIndex, Span
from bot.risk.taxonomy import Category, Evidence, Level, Memory

__all__ = ["PhraseLayer"]

#: How many words after a match are searched for a guard's ``unless``.
UNLESS_REACH = 4
_BREAK = "clause break"


class PhraseLayer:
    """Finds families in a message and drops the matches a guard governs."""

    def __init__(self, data: RiskData) -> None:
        self._families = {f"family {family.name}": family for family in data.families}
        self._guards = {f"guard {guard.name}": guard for guard in data.guards}
        owners = [*self._families.items(), *self._guards.items()]
        entries = [(key, phrase) for key, owner in owners for phrase in owner.phrases]
        entries += [(_BREAK, phrase) for phrase in data.clause_breaks]
        self.index: PhraseIndex[str] = PhraseIndex(entries, data.negators)

    def evidence(self, message: Message, memory: Memory, so_far: Sequence[Evidence]) -> Iterator[Evidence]:
        """Evidence for every family found, with its longest words; level none if a guard took it back.

        A misspelt word is read in each way it may have been meant: what that finds is found as well.
        """
        as_read = list(self._evidence(message, memory, so_far))
        yield from as_read
        seen = {item.family for item in as_read if item.level is not Level.NONE}
        for meant in message.meant(self.index.words):
            for item in self._evidence(meant, memory, so_far):
                if item.level is not Level.NONE and item.family not in seen:
                    seen.add(item.family)
                    yield item

    def _evidence(self, message: Message, memory: Memory, so_far: Sequence[Evidence]) -> Iterator[Evidence]:
        found = self.index.find(message)
        clauses = _clauses(message, found.get(_BREAK, ()))
        guards = []
        for key, spans in found.items():
            if key not in self._guards:
                continue
            guard = self._guards[key]
            if guard.governs is Governs.ENCODER:
                yield _harmless(message, guard.name, spans)
            else:
                guards.append((guard, _by_clause(spans, clauses)))
        standing: list[tuple[Family, Span]] = []
        for key, spans in found.items():
            if key not in self._families:
                continue
            name = self._families[key].name
            ours = [(g, gs) for g, gs in guards if not g.only or name in g.only]
            kept = [s for s in spans if not any(_takes_back(g, gs, s, message, clauses) for g, gs in ours)]
            if not kept:
                yield _harmless(message, name, spans)
            if kept:
                standing.append((self._families[key], max(kept, key=lambda s: (s.end - s.start, -s.start))))
        told = _told(standing, memory, so_far)
        for family, span in standing:
            if family.needs and not family.needs & told:
                continue
            start, end = message.offsets(span)
            yield Evidence(
                layer="phrase",
                family=family.name,
                words=message.text[start:end],
                start=start,
                end=end,
                level=family.level,
                categories=family.categories or tuple(c for c in Category if c in family.needs & told),
            )


def _harmless(message: Message, name: str, spans: Collection[Span]) -> Evidence:
    """Words that were found and are harmless where they stand: the encoder must be surer to say otherwise."""
    start, end = message.offsets(min(spans, key=lambda s: s.start))
    return Evidence("phrase", name, message.text[start:end], start, end, Level.NONE)


def _told(
    standing: Sequence[tuple[Family, Span]], memory: Memory, so_far: Sequence[Evidence]
) -> set[Category]:
    """The kinds of serious harm told of here or before in this conversation."""
    told = {c for family, _ in standing if family.level.needs_person and not family.needs
            for c in family.categories}  # fmt: skip
    told.update(c for e in so_far if e.level.needs_person for c in e.categories)
    if memory.level.needs_person:
        told.update(memory.categories)
    return told


def _clauses(message: Message, breaks: Collection[Span]) -> list[int]:
    """For every word, the number of the clause it stands in."""
    starts = {span.start for span in breaks} | {sentence.start for sentence in message.sentences}
    clauses: list[int] = []
    number = -1
    for position in range(len(message.words)):
        number += position in starts
        clauses.append(number)
    return clauses


def _by_clause(spans: Collection[Span], clauses: Sequence[int]) -> dict[int, list[Span]]:
    """Spans by the clause they stand in, without those that run over into the next.

    An idiom does not run on over "but" or "and my": those begin something else. Looking in few clauses
    also keeps the time for a very long text in proportion to its length.
    """
    found: dict[int, list[Span]] = defaultdict(list)
    for span in spans:
        if clauses[span.start] == clauses[span.end - 1]:
            found[clauses[span.start]].append(span)
    return found


def _takes_back(
    guard: Guard,
    by_clause: Mapping[int, Sequence[Span]],
    match: Span,
    message: Message,
    clauses: Sequence[int],
) -> bool:
    words = message.words
    if guard.spares and not guard.spares.isdisjoint(words[match.start : match.end]):
        return False
    if guard.unless and not guard.unless.isdisjoint(words[match.end : match.end + UNLESS_REACH]):
        return False
    clause = clauses[match.end - 1]
    near = {clauses[max(match.start - 1, 0)], clauses[match.start], clause}
    for span in (span for number in near for span in by_clause.get(number, ())):
        same = clauses[span.start] == clause
        if guard.governs is Governs.INSIDE:
            if span.start <= match.start and match.end <= span.end:
                return True
        elif guard.governs is Governs.OVER:
            # One word more may follow: "going to kill him at fifa tonight".
            if max(span.start, match.start) < min(span.end, match.end) and match.end <= span.end + 1:
                return True
        elif guard.governs is Governs.NEXT:
            if span.end == match.start:
                return True
        elif guard.governs is Governs.AFTER:
            if same and span.end <= match.start:
                return True
        elif guard.governs is Governs.BEFORE:
            if same and match.end <= span.start:
                return True
        elif same:
            return True
    return False
