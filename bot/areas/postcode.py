"""Reads what a person typed as a postcode, without looking anything up.

A UK postcode is an outward code (``SO14``: postcode area and district) and an inward code (``7DU``: sector
and unit). People leave out the space, type half of it, and mix up O and 0, I, L and 1. Shapes as in the
Office for National Statistics' ONS Postcode Directory user guide.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

#: Longest text read; what lies beyond is not looked at.
MAX_LENGTH = 300


class Shape(str, Enum):
    """What the text looks like."""

    FULL = "full"
    PARTIAL = "partial"
    CROWN_DEPENDENCY = "crown_dependency"
    BFPO = "bfpo"
    FOREIGN = "foreign"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Candidate:
    """One way to read the text: ``SO14`` and ``7DU``, or ``SO14`` and the start of an inward code."""

    outward: str
    inward: str = ""
    #: The text had to be corrected to be read so (a letter O for a zero, for instance).
    corrected: bool = False

    def __str__(self) -> str:
        return f"{self.outward} {self.inward}".rstrip()


@dataclass(frozen=True)
class Reading:
    """What the text may mean: its shape, and the ways to read it, the likeliest first."""

    shape: Shape
    candidates: tuple[Candidate, ...] = ()


#: The postcode areas of the United Kingdom. GIR and NPT are old outward codes without a number.
AREAS = frozenset(
    (
        "AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC "
        "EH EN EX FK FY G GL GU HA HD HG HP HR HS HU HX IG IP IV KA KT KW KY L LA LD LE LL LN LS LU M ME MK "
        "ML N NE NG NN NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW "
        "SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE GIR NPT"
    ).split()
)
#: Areas that no place has: banks, parcels sent back, Father Christmas, and the health service's "not known".
NO_PLACE_AREAS = frozenset({"BX", "XM", "XX", "ZZ"})
CROWN_AREAS = {"JE": "Jersey", "GY": "Guernsey", "IM": "Isle of Man"}

_OUTWARD = re.compile(r"(GIR|NPT|[A-Z]{1,2})(?:\d|[1-9]\d|\d[A-Z])?")
_INWARD = re.compile(r"\d[A-Z]{2}")
_BFPO = re.compile(r"BFPO\d{0,4}|BF1(?:\d(?:[A-Z]{1,2})?)?")
_BRITISH_OVERSEAS = re.compile(r"(?:ASCN|BBND|BIQQ|FIQQ|PCRN|SIQQ|STHL|TDCU|TKCA)1ZZ|GX111AA|AI2640")
_FOREIGN = re.compile(
    r"\d{4,6}|\d{8,9}"  # most of Europe, the United States (also with four more digits), India, Brazil
    r"|\d{4}[A-Z]{2}"  # the Netherlands
    r"|[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z]\d[ABCEGHJ-NPRSTV-Z]\d"  # Canada
    r"|(?:D6W|[AC-FHKNPRTV-Y]\d\d)[0-9AC-FHKNPRTV-Y]{4}"  # Eircode, Republic of Ireland
)
_LOOKS_LIKE = {"O": "0", "I": "1", "L": "1"}
_MEANT = {"0": "O", "1": "IL"}
_WHOLE_IN_SENTENCE = re.compile(r"(?<![A-Z0-9])([A-Z]{1,2}\d[A-Z0-9]?)[\s-]*(\d[A-Z]{2})(?![A-Z0-9])")
_WHOLE_TYPED = re.compile(_WHOLE_IN_SENTENCE.pattern, re.IGNORECASE)
_HALF_IN_SENTENCE = re.compile(r"(?<![A-Z0-9])([A-Z]{1,2}\d[A-Z0-9]?)(?![A-Z0-9])")


def read(text: str) -> Reading:
    """Read a postcode, or half of one, as typed; a sentence around it does not matter.

    Never raises: whatever cannot be read is :attr:`Shape.MALFORMED`.
    """
    upper = unicodedata.normalize("NFKC", text[:MAX_LENGTH]).upper()
    parts = re.findall(r"[A-Z0-9]+", upper)
    tight = "".join(parts)
    if _BFPO.fullmatch(tight):
        return Reading(Shape.BFPO)
    whole = tuple(_full(tight))
    exact = [candidate for candidate in whole if not candidate.corrected]
    if exact:
        return _of(exact[0], whole)
    if not (re.search("[0-9]", tight) and re.search("[A-Z]", tight)):
        # All letters would be read as digits: the town of Ellon is not E1 1ON.
        return Reading(Shape.FOREIGN) if _FOREIGN.fullmatch(tight) else _in_sentence(upper)
    if _BRITISH_OVERSEAS.fullmatch(tight) or _FOREIGN.fullmatch(tight):
        return Reading(Shape.FOREIGN)
    if whole:
        return _of(whole[0], whole)
    spaced = tuple(_spaced_halves(parts))
    # Read against its own space it is a guess: "SW1 9" as SW19.
    joined = (replace(half, corrected=half.corrected or bool(spaced)) for half in _halves(tight))
    halves = (*spaced, *(half for half in joined if str(half) not in map(str, spaced)))
    if halves:
        return _of(halves[0], halves)
    return _in_sentence(upper)


def without_inward(text: str) -> str:
    """The text with an ellipsis for the second half of each whole postcode: what is left is a district."""

    def half(found: re.Match[str]) -> str:
        return f"{found[1]} …" if _is_outward(found[1].upper()) else found[0]

    return _WHOLE_TYPED.sub(half, text)


def _of(first: Candidate, candidates: tuple[Candidate, ...]) -> Reading:
    area = _area(first.outward)
    if area in CROWN_AREAS:
        return Reading(Shape.CROWN_DEPENDENCY, (first,))
    return Reading(Shape.FULL if len(first.inward) == 3 else Shape.PARTIAL, candidates)


def _full(tight: str) -> Iterator[Candidate]:
    """Ways to read a whole postcode, the one with the fewest corrections first."""
    if not 5 <= len(tight) <= 7:
        return
    sector, unit = tight[-3], tight[-2:].replace("1", "L")  # a unit never has the letter I
    inward = _LOOKS_LIKE.get(sector, sector) + unit
    if _INWARD.fullmatch(inward):
        for outward in _outwards(tight[:-3]):
            yield Candidate(outward, inward, outward + inward != tight)


def _spaced_halves(parts: list[str]) -> Iterator[Candidate]:
    """``SO1 4``: the space says that 4 is the sector."""
    if len(parts) == 2 and len(parts[1]) < 3:
        yield from _with_start(parts[0], parts[1])


def _halves(tight: str) -> Iterator[Candidate]:
    for length in (0, 1, 2):
        start = tight[len(tight) - length :] if length else ""
        yield from _with_start(tight[: len(tight) - length], start)


def _with_start(outward: str, start: str) -> Iterator[Candidate]:
    """An outward code and what there is of the inward code: nothing, the sector, or one letter more."""
    if start:
        sector = _LOOKS_LIKE.get(start[0], start[0])
        if not sector.isdigit() or not all(letter.isalpha() for letter in start[1:]):
            return
        fixed = sector + start[1:]
    else:
        fixed = ""
    for read_as in _outwards(outward):
        yield Candidate(read_as, fixed, (read_as, fixed) != (outward, start))


def _outwards(text: str) -> Iterator[str]:
    """Outward codes the text may mean, the one with the fewest corrections first."""
    if not 2 <= len(text) <= 4:
        return
    choices = [letter + _LOOKS_LIKE.get(letter, "") + _MEANT.get(letter, "") for letter in text]
    readings = {"".join(letters) for letters in itertools.product(*choices)}
    for reading in sorted(readings, key=lambda r: (sum(a != b for a, b in zip(r, text, strict=True)), r)):
        if _is_outward(reading):
            yield reading


def _is_outward(text: str) -> bool:
    match = _OUTWARD.fullmatch(text)
    if match is None or (match[1] == text and text not in ("GIR", "NPT")):
        return False
    return match[1] in AREAS or match[1] in CROWN_AREAS or match[1] in NO_PLACE_AREAS


def _area(outward: str) -> str:
    return outward if outward in AREAS else outward.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ").rstrip("0123456789")


def _in_sentence(upper: str) -> Reading:
    """``we live at so14 7du now``: only what needs no correction, or prose would turn into postcodes."""
    for match in _WHOLE_IN_SENTENCE.finditer(upper):
        if _is_outward(match[1]):
            candidate = Candidate(match[1], match[2])
            return _of(candidate, (candidate,))
    for match in _HALF_IN_SENTENCE.finditer(upper):
        # Two characters are as likely to be a school year: S1 to S6 in Scotland.
        if len(match[1]) > 2 and _is_outward(match[1]):
            candidate = Candidate(match[1])
            return _of(candidate, (candidate,))
    if re.search(r"(?<![A-Z])BFPO(?![A-Z])", upper):
        return Reading(Shape.BFPO)
    return Reading(Shape.MALFORMED)
