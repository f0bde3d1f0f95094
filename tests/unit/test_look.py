"""The deploying body's look: a colour that some could not read, or a logo that runs, does not start."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.look import DARK_GROUNDS, LIGHT_GROUNDS, MAX_LOGO, ON_DARK, ON_LIGHT, contrast, look_of
from bot.settings import ROOT, Settings, SettingsError, load_settings

CSS = (ROOT / "bot" / "channels" / "static" / "chat.css").read_text()
KEY = Fernet.generate_key().decode()
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/>{}</svg>'


def settings(**more: str) -> Settings:
    return Settings(keys=KEY, lookup_key="k" * 32, **more)


def picture(folder: Path, content: str | bytes) -> str:
    path = folder / f"logo-{zlib.crc32(content if isinstance(content, bytes) else content.encode())}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#0000ff", "#ffffff", 8.59)],
)
def test_the_contrast_ratio_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert round(contrast(one, other), 2) == round(contrast(other, one), 2) == ratio


@pytest.mark.parametrize(("grounds", "number"), [(LIGHT_GROUNDS, 0), (DARK_GROUNDS, 1)])
def test_the_grounds_that_are_measured_are_those_of_the_page(grounds: dict[str, str], number: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    told = dict(re.findall(r"(--[\w-]+):\s*(#[0-9a-f]{3,6});", blocks[number]))
    long = {k: "#" + v[1:].ljust(6, v[-1]) if len(v) == 4 else v for k, v in told.items()}
    assert {name: long[name] for name in grounds} == grounds
    assert long["--on-pine"] == (ON_LIGHT, ON_DARK)[number]


def test_nothing_is_changed_without_settings() -> None:
    look = look_of(settings())
    assert not look.changed and look.style_sheet() == "" and look.logo is None


@pytest.mark.parametrize("colour", ["#0b5394", "#7a1f5c", "#1f6358", "#000000", "#8a3b00"])
def test_a_colour_is_readable_on_every_ground_of_both_pages(colour: str) -> None:
    look = look_of(settings(theme_colour=colour))
    assert look.light == colour and look.dark is not None
    assert all(contrast(look.light, ground) >= 4.5 for ground in (*LIGHT_GROUNDS.values(), ON_LIGHT))
    assert all(contrast(look.dark, ground) >= 4.5 for ground in (*DARK_GROUNDS.values(), ON_DARK))
    assert look.light in look.style_sheet() and look.dark in look.style_sheet()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"theme_colour": "#ffcc00"}, r"EARSHOT_THEME_COLOUR: #ffcc00 .* ratio of 1\.\d\d .*light page"),
        ({"theme_colour": "#777777"}, r"ratio of 4\.47 with #ffffff of the light page"),
        ({"theme_colour": "#0b5394", "theme_colour_dark": "#0b5394"}, r"THEME_COLOUR_DARK.*dark page"),
        ({"theme_colour": "blue"}, "EARSHOT_THEME_COLOUR must be a colour"),
        ({"theme_colour_dark": "#ffffff"}, "needs EARSHOT_THEME_COLOUR"),
    ],
)
def test_a_colour_that_cannot_be_read_is_refused_with_its_ratio(more: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        look_of(settings(**more))


def test_a_picture_is_taken_as_logo(tmp_path: Path) -> None:
    drawn = SVG.format('<use href="#part"/><style>circle { fill: url(#g) }</style>')
    assert look_of(settings(logo=picture(tmp_path, drawn))).logo.media_type == "image/svg+xml"
    assert look_of(settings(logo=picture(tmp_path, b"\x89PNG\r\n\x1a\n"))).logo.media_type == "image/png"


@pytest.mark.parametrize(
    "content",
    [
        SVG.format("<script>alert(1)</script>"),
        SVG.format('<rect onclick="alert(1)"/>'),
        SVG.format('<use href="https://elsewhere.example/x.svg#a"/>'),
        SVG.format("<style>@import 'https://elsewhere.example/x.css'</style>"),
        SVG.format('<rect fill="url(https://elsewhere.example/x)"/>'),
        '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("&a;"),
        "<html/>",
        b"GIF89a",
        SVG.format("<g/>" * MAX_LOGO),
    ],
)
def test_a_logo_that_runs_fetches_or_is_too_large_is_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(SettingsError, match="EARSHOT_LOGO"):
        look_of(settings(logo=picture(tmp_path, content)))


def test_a_logo_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="EARSHOT_LOGO"):
        look_of(settings(logo=str(tmp_path / "none.svg")))


@pytest.mark.parametrize("name", ["EARSHOT_EMBED_ORIGINS", "EARSHOT_SOCKETIO_ORIGINS"])
@pytest.mark.parametrize("wrong", ["*", "https://*.example", "http://school.example", "https://a.example/x"])
def test_a_website_is_named_by_its_whole_origin(name: str, wrong: str) -> None:
    environ = {"EARSHOT_KEYS": KEY, "EARSHOT_LOOKUP_KEY": "k" * 32, name: wrong}
    with pytest.raises(SettingsError, match=name):
        load_settings(environ)


def test_several_websites_are_separated_by_commas() -> None:
    found = settings(embed_origins="https://A.example, http://localhost:9/", socketio_origins="")
    assert found.embedding_sites == ("https://a.example", "http://localhost:9") and not found.widget_sites
