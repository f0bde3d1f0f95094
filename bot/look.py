"""How the deploying body looks: colour, logo and welcome, checked before anybody sees them.

A colour that some people could not read against the page is refused at the start, with its measure. The
measure is the contrast ratio of WCAG 2.2 (success criterion 1.4.3: at least 4.5 to 1 for text).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bot.settings import Settings, SettingsError

#: Least contrast between text and its ground (WCAG 2.2, success criterion 1.4.3).
LEAST = 4.5
#: Grounds that the colour is text on, in the light and the dark page; kept equal to chat.css by a test.
LIGHT_GROUNDS = {"--surface": "#ffffff", "--ground": "#edf3ee", "--ground-deep": "#dfeae2"}
DARK_GROUNDS = {"--surface": "#1d3330", "--ground": "#10201e", "--ground-deep": "#0b1716"}
#: What is written on the colour where it is a ground itself.
ON_LIGHT, ON_DARK = "#ffffff", "#0b2622"
#: Earshot's own colour, in the light page: that of posters when no other is set.
PINE = "#1f6358"
#: Largest logo, in bytes: the chat has to open on a slow phone.
MAX_LOGO = 48 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR = re.compile(r"#[0-9a-f]{6}")
#: What an SVG may hold that runs, or that fetches something from elsewhere.
_RUNS = re.compile(r"\}(script|foreignObject|iframe|image|a)$")
_FETCHES = re.compile(r"url\(\s*['\"]?(?!#)|@import", re.IGNORECASE)


@dataclass(frozen=True)
class Logo:
    """A picture of the body's own: its bytes and their media type."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class Look:
    """Colour in the light and in the dark page (``#rrggbb``, None for Earshot's own), logo, welcome."""

    light: str | None = None
    dark: str | None = None
    logo: Logo | None = None
    welcome: str = ""

    @property
    def changed(self) -> bool:
        """Whether a page needs the generated style sheet."""
        return bool(self.light or self.logo)

    def style_sheet(self) -> str:
        """What changes in ``chat.css``. Who asks for more contrast keeps Earshot's own colours."""
        rules = []
        if self.light and self.dark:
            rules.append(
                f":root {{ --theme: {self.light}; }}\n"  # paper, which is never dark
                "@media not all and (prefers-contrast: more) {\n"
                f"  :root {{ --pine: {self.light}; --on-pine: {ON_LIGHT}; }}\n"
                "}\n"
                "@media (prefers-color-scheme: dark) and (not (prefers-contrast: more)) {\n"
                f"  :root {{ --pine: {self.dark}; --on-pine: {ON_DARK}; }}\n"
                "}\n"
            )
        if self.logo:
            # On white in the dark page too: a logo is drawn for paper.
            rules.append(
                ".brand img.logo { width: auto; max-width: 7rem; object-fit: contain; padding: .2rem;"
                " border-radius: .5rem; background: #fff; }\n"
                "@media (max-width: 30rem) { .brand img.logo { max-width: 3.5rem; padding: .1rem; } }\n"
            )
        return "".join(rules)


@lru_cache(maxsize=8)
def look_of(settings: Settings) -> Look:
    """The look that these settings ask for.

    Raises:
        SettingsError: a colour that cannot be read, with its contrast ratio; a logo that is missing, too
            large, or no plain picture.
    """
    light = dark = None
    if settings.theme_colour:
        light = _colour("EARSHOT_THEME_COLOUR", settings.theme_colour)
        _check("EARSHOT_THEME_COLOUR", light, LIGHT_GROUNDS, ON_LIGHT, "light")
        dark = _colour("EARSHOT_THEME_COLOUR_DARK", settings.theme_colour_dark or _lightened(light))
        _check("EARSHOT_THEME_COLOUR_DARK", dark, DARK_GROUNDS, ON_DARK, "dark")
    elif settings.theme_colour_dark:
        raise SettingsError("EARSHOT_THEME_COLOUR_DARK needs EARSHOT_THEME_COLOUR beside it.")
    logo = _logo(Path(settings.logo)) if settings.logo else None
    return Look(light, dark, logo, settings.welcome.strip())


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours ``#rrggbb``, from 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(name: str, value: str) -> str:
    value = value.strip().lower()
    if not _COLOUR.fullmatch(value):
        raise SettingsError(f"{name} must be a colour such as #1f6358.")
    return value


def _check(name: str, colour: str, grounds: dict[str, str], on: str, page: str) -> None:
    for ground in (*grounds.values(), on):
        ratio = contrast(colour, ground)
        if ratio < LEAST:
            # Cut, not rounded: 4.496 is not enough, and must not be shown as 4.50.
            shown = int(ratio * 100) / 100
            raise SettingsError(
                f"{name}: {colour} has a contrast ratio of {shown:.2f} with {ground} of the {page} page; "
                f"WCAG asks for {LEAST}. Choose a {'darker' if page == 'light' else 'lighter'} colour."
            )


def _lightened(colour: str) -> str:
    """The colour mixed with as much white as the dark page needs, in steps of a twentieth."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    for step in range(21):
        mixed = "#" + "".join(f"{round(part + (255 - part) * step / 20):02x}" for part in parts)
        if all(contrast(mixed, ground) >= LEAST for ground in (*DARK_GROUNDS.values(), ON_DARK)):
            return mixed
    raise AssertionError("white can be read on every dark ground")


def _logo(path: Path) -> Logo:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"EARSHOT_LOGO: {error.strerror or 'cannot be read'}.") from None
    if len(content) > MAX_LOGO:
        raise SettingsError(f"EARSHOT_LOGO has {len(content)} bytes; at most {MAX_LOGO} fit a slow phone.")
    if content.startswith(_PNG):
        return Logo(content, "image/png")
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        raise SettingsError("EARSHOT_LOGO must be an SVG or PNG picture.") from None
    if root.tag != "{http://www.w3.org/2000/svg}svg":
        raise SettingsError("EARSHOT_LOGO must be an SVG or PNG picture.")
    for element in root.iter():
        wrong = _RUNS.search(str(element.tag)) or _FETCHES.search(element.text or "")
        for name, value in element.attrib.items():
            elsewhere = name.endswith("href") and not value.startswith("#")
            wrong = wrong or name.lower().startswith("on") or elsewhere or _FETCHES.search(value)
        if wrong:
            raise SettingsError("EARSHOT_LOGO must be a plain picture: no scripts, links or other files.")
    return Logo(content, "image/svg+xml")
