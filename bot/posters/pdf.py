"""A poster as PDF: one A4 page, or a sheet of ten cards to cut out. Drawn in vectors, sharp at any size."""

from __future__ import annotations

import io

from fpdf import FPDF
from fpdf.enums import MethodReturnValue

from bot.channels.leaflet_pdf import font_folder
from bot.posters.poster import Poster, Square

#: A4 and a card (ISO/IEC 7810 ID-1, that of a bank card, rounded), in millimetres.
PAGE, CARD = (210.0, 297.0), (85.0, 54.0)
#: Cards on a sheet: columns and rows.
SHEET = (2, 5)
_MARGIN = 18.0
_QUIET = 4  # modules around a QR code that stay white (ISO/IEC 18004)


def poster_pdf(poster: Poster) -> bytes:
    """The poster on one A4 page, in type that is read from two metres away."""
    pdf = _paper(poster)
    width = PAGE[0] - 2 * _MARGIN
    beside_logo = width - (50 if poster.look.logo else 0)
    band = _MARGIN + _height(pdf, poster.title, beside_logo, 44) + 18
    pdf.set_fill_color(poster.colour)
    pdf.rect(0, 0, PAGE[0], band, style="F")
    _logo(pdf, poster, PAGE[0] - _MARGIN - 42, 12)
    pdf.set_text_color("#ffffff")
    y = _write(pdf, poster.title, _MARGIN, _MARGIN, beside_logo, 44, bold=True)
    _write(pdf, poster.body_name, _MARGIN, y + 4, beside_logo, 15)
    pdf.set_text_color("#000000")
    y = _write(pdf, poster.lead, _MARGIN, band + 9, width, 23, bold=True) + 5
    for text in filter(None, (poster.text, poster.look.welcome)):
        y = _write(pdf, text, _MARGIN, y, width, 17) + 4
    danger = _height(pdf, poster.danger, width, 20) + 1
    danger += sum(_height(pdf, line, width, 14, bold=False) + 1 for line in poster.numbers)
    foot = PAGE[1] - 12 - danger
    _squares(pdf, poster, y + 2, foot - 7)
    pdf.set_fill_color("#fde4d8")
    pdf.rect(0, foot - 7, PAGE[0], PAGE[1] - foot + 7, style="F")
    pdf.set_text_color("#5c1d10")
    y = _write(pdf, poster.danger, _MARGIN, foot, width, 20, bold=True) + 1
    for line in poster.numbers:
        y = _write(pdf, line, _MARGIN, y, width, 14) + 1
    pdf.set_text_color("#000000")
    return bytes(pdf.output())


def cards_pdf(poster: Poster) -> bytes:
    """Ten cards on one A4 page, with lines to cut along."""
    pdf = _paper(poster)
    left, top = (PAGE[0] - SHEET[0] * CARD[0]) / 2, (PAGE[1] - SHEET[1] * CARD[1]) / 2
    for number in range(SHEET[0] * SHEET[1]):
        x = left + number % SHEET[0] * CARD[0]
        y = top + number // SHEET[0] * CARD[1]
        _card(pdf, poster, x, y)
    return bytes(pdf.output())


def _paper(poster: Poster) -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_margin(0)
    pdf.set_auto_page_break(False)
    pdf.add_font("poster", "", font_folder() / "DejaVuSans.ttf")
    pdf.add_font("poster", "B", font_folder() / "DejaVuSans-Bold.ttf")
    pdf.set_title(poster.title)
    pdf.set_lang("en-GB")
    pdf.add_page()
    return pdf


def _squares(pdf: FPDF, poster: Poster, top: float, bottom: float) -> None:
    """The squares to scan between two heights, and under each what it opens."""
    side = min(bottom - top - 22, 96.0)
    _square(pdf, poster.web, _MARGIN, top, side)
    column = 62.0
    wide = PAGE[0] - 2 * _MARGIN - (column + 6 if poster.telegram else 0)
    below = _write(pdf, poster.scan, _MARGIN, top + side, wide, 13)
    _write(
        pdf, poster.web.typed, _MARGIN, below + 1, wide, _fitting(pdf, poster.web.typed, wide, 18), bold=True
    )
    if poster.telegram:
        small = min(side * 0.75, column)
        x, typed = PAGE[0] - _MARGIN - column, poster.telegram.typed
        _square(pdf, poster.telegram, x, top + side - small, small)
        below = _write(pdf, poster.telegram_words, x, top + side, column, 13)
        _write(pdf, typed, x, below + 1, column, _fitting(pdf, typed, column, 18), bold=True)


def _card(pdf: FPDF, poster: Poster, x: float, y: float) -> None:
    pdf.set_draw_color("#b0b0b0")
    pdf.set_line_width(0.1)
    pdf.rect(x, y, *CARD)
    pdf.set_fill_color(poster.colour)
    pdf.rect(x, y, CARD[0], 11, style="F")
    pdf.set_text_color("#ffffff")
    _write(pdf, poster.title, x + 4, y + 3, CARD[0] - 8, 11, bold=True)
    pdf.set_text_color("#000000")
    side = 27.0
    _square(pdf, poster.web, x + 2, y + 12, side)
    wide = CARD[0] - side - 8
    at = _write(pdf, poster.lead, x + side + 4, y + 14, wide, 7.5) + 1.5
    at = _write(pdf, poster.web.typed, x + side + 4, at, wide, 7.5, bold=True) + 1
    if poster.telegram:
        words = f"{poster.telegram_words}: {poster.telegram.typed}"
        at = _write(pdf, words, x + side + 4, at, wide, 7)
    pdf.set_text_color("#5c1d10")
    at = y + 12 + side + 1
    for number, line in enumerate(
        (poster.danger, *(line.partition(".")[0] + "." for line in poster.numbers))
    ):
        at = _write(pdf, line, x + 4, at, CARD[0] - 8, 6.5, bold=number == 0)
    pdf.set_text_color("#000000")


def _square(pdf: FPDF, square: Square, x: float, y: float, side: float) -> None:
    rows = square.rows()
    module = side / (len(rows) + 2 * _QUIET)
    pdf.set_fill_color("#ffffff")
    pdf.rect(x, y, side, side, style="F")
    pdf.set_fill_color("#000000")
    for down, row in enumerate(rows):
        start = None
        # A run of modules is one rectangle: hairlines between them would show in print.
        for across, black in enumerate([*row, False]):
            if black and start is None:
                start = across
            elif not black and start is not None:
                left = x + (start + _QUIET) * module
                pdf.rect(left, y + (down + _QUIET) * module, (across - start) * module, module, style="F")
                start = None


def _logo(pdf: FPDF, poster: Poster, x: float, y: float) -> None:
    """The body's logo on a white plate of 42 by 26 mm."""
    if poster.look.logo is None:
        return
    pdf.set_fill_color("#ffffff")
    pdf.rect(x, y, 42, 26, style="F", round_corners=True, corner_radius=2)
    picture = io.BytesIO(poster.look.logo.content)
    pdf.image(picture, x + 3, y + 3, w=36, h=20, keep_aspect_ratio=True)


def _fitting(pdf: FPDF, text: str, width: float, size: float) -> float:
    """The size in points at which a text takes one line, at most ``size``."""
    pdf.set_font("poster", "B", size)
    return min(size, size * (width - 3) / float(pdf.get_string_width(text)))


def _height(pdf: FPDF, text: str, width: float, size: float, *, bold: bool = True) -> float:
    pdf.set_font("poster", "B" if bold else "", size)
    height = pdf.multi_cell(
        width, size * 0.45, text, align="L", dry_run=True, output=MethodReturnValue.HEIGHT
    )
    return float(height)


def _write(
    pdf: FPDF, text: str, x: float, y: float, width: float, size: float, *, bold: bool = False
) -> float:
    """Write a paragraph; returns where the next begins, in millimetres from the top."""
    pdf.set_font("poster", "B" if bold else "", size)
    pdf.set_xy(x, y)
    pdf.multi_cell(width, size * 0.45, text, align="L", new_x="LEFT", new_y="NEXT")
    return float(pdf.get_y())
