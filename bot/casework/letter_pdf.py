"""A letter as a PDF of A4 pages, with its reference and page number on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fpdf import FPDF

from bot.fonts import font_folder, printable

_SIZE, _MARGIN = 10.5, 20  # points; mm


@dataclass(frozen=True)
class Row:
    """One entry of a block: a label, where it has one, and words. ``quoted`` when they are a person's own."""

    text: str
    label: str = ""
    quoted: bool = False


@dataclass(frozen=True)
class Block:
    """A heading with what stands under it. ``warn`` sets it apart: it is to be read before all else."""

    heading: str
    rows: tuple[Row, ...]
    warn: bool = False


def letter_pdf(title: str, head: Sequence[str], blocks: Sequence[Block], *, foot: str, page: str) -> bytes:
    """The PDF. ``foot`` stands on every page; ``page`` is "page {n} of {all}" in words.

    Texts are set as they are, letter by letter: nothing in them is taken for a command or a markup.
    """
    pdf = _Letter(foot, page)
    pdf.set_title("Notes")
    pdf.set_lang("en-GB")
    pdf.add_page()
    pdf.write_out(title, "B", _SIZE * 1.6)
    for line in head:
        pdf.write_out(line, "", _SIZE)
    for block in blocks:
        pdf.block(block)
    return bytes(pdf.output())


class _Letter(FPDF):
    def __init__(self, foot: str, page: str) -> None:
        super().__init__(format="A4")
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, _MARGIN + 8)
        folder = font_folder()
        self.add_font("letter", "", folder / "DejaVuSans.ttf")
        self.add_font("letter", "B", folder / "DejaVuSans-Bold.ttf")
        self._known = self.fonts["letter"].cmap
        self._foot = self._clean(foot)
        self._page = page
        self.alias_nb_pages("\N{DOUBLE DAGGER}\N{DOUBLE DAGGER}")

    def _clean(self, text: str) -> str:
        # The stand-in for the number of pages must not be found in what somebody wrote.
        return printable(text.replace("\N{DOUBLE DAGGER}", "\N{DAGGER}"), self._known)

    def write_out(self, text: str, style: str, size: float, *, indent: float = 0) -> None:
        """A paragraph."""
        self.set_font("letter", style, size)
        self.set_left_margin(_MARGIN + indent)
        self.set_x(_MARGIN + indent)
        self.multi_cell(0, size * 0.5, self._clean(text), new_x="LMARGIN", new_y="NEXT", align="L")
        self.set_left_margin(_MARGIN)

    def block(self, block: Block) -> None:
        """A heading is not torn from the first words under it."""
        self.ln(_SIZE * 0.35)
        if self.will_page_break(_SIZE * 2.2):
            self.add_page()
        top, first = self.get_y(), self.page
        self.write_out(block.heading, "B", _SIZE * 1.15, indent=4 if block.warn else 0)
        for row in block.rows:
            if row.label:
                if self.will_page_break(_SIZE * 1.5):  # nor a label from its words
                    self.add_page()
                self.write_out(row.label, "B", _SIZE * 0.9, indent=4 if block.warn else 0)
            words = f"\N{LEFT DOUBLE QUOTATION MARK}{row.text}\N{RIGHT DOUBLE QUOTATION MARK}"
            self.write_out(words if row.quoted else row.text, "", _SIZE, indent=4)
            self.ln(1)
        if block.warn and self.page == first:
            self.set_line_width(1)
            self.line(_MARGIN, top, _MARGIN, self.get_y() - 1)

    def footer(self) -> None:
        """What the letter is and which page, at the foot of every page."""
        self.set_y(-_MARGIN + 2)
        self.set_font("letter", "", _SIZE * 0.75)
        page = self._page.replace("{n}", str(self.page_no())).replace("{all}", self.str_alias_nb_pages)
        self.cell(0, 4, f"{self._foot}    {page}")
