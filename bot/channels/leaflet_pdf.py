"""A leaflet as a PDF of one or more A4 pages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from fpdf import FPDF

#: Sizes of type, in points: ordinary and large (the Royal National Institute of Blind People's 16 and up).
ORDINARY, LARGE = 11.5, 18
_MARGIN = 18  # mm


def leaflet_pdf(
    title: str, services: Sequence[tuple[str, Sequence[str]]], emergency: str, *, large: bool
) -> bytes:
    """A PDF with a heading, each service's name and lines, and the emergency line on every page."""
    size = LARGE if large else ORDINARY
    pdf = _Leaflet(emergency, size)
    pdf.set_title("Notes")
    pdf.set_lang("en-GB")
    pdf.add_page()
    pdf.set_font("leaflet", "B", size * 1.6)
    pdf.multi_cell(0, size * 0.75, title, new_x="LMARGIN", new_y="NEXT")
    for name, told in services:
        pdf.ln(size * 0.25)
        # A service is not torn from its name at the foot of a page.
        if pdf.will_page_break(size * 2):
            pdf.add_page()
        pdf.set_font("leaflet", "B", size * 1.15)
        pdf.multi_cell(0, size * 0.55, name, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("leaflet", "", size)
        for line in told:
            pdf.multi_cell(0, size * 0.48, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


class _Leaflet(FPDF):
    def __init__(self, emergency: str, size: float) -> None:
        super().__init__(format="A4")
        self._emergency = emergency
        self._size = size
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, _MARGIN + size)
        folder = font_folder()
        self.add_font("leaflet", "", folder / "DejaVuSans.ttf")
        self.add_font("leaflet", "B", folder / "DejaVuSans-Bold.ttf")

    def footer(self) -> None:
        """The emergency line, at the foot of every page."""
        self.set_y(-_MARGIN - self._size * 0.6)
        self.set_font("leaflet", "B", self._size * 0.8)
        self.multi_cell(0, self._size * 0.45, self._emergency)


def font_folder() -> Path:
    """DejaVu, which has the letters of most languages here; it comes with matplotlib, which Rasa needs."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
