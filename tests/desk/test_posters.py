"""Posters and cards: who may make them, what stands on them, where the squares lead."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
import segno
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from bot import cli
from bot.bootstrap import Core, build_core
from bot.doors import UnknownSpeaker
from bot.posters.pdf import cards_pdf, poster_pdf
from bot.posters.poster import DOOR_NAMES, make_poster
from bot.settings import Settings
from tests.desk.world import World, make_core

SET = {
    "public_url": "https://chat.demoshire.example",
    "telegram_bot_name": "demoshire_earshot_bot",
    "body_name": "Demoshire County Council",
    "welcome": "We are the youth team of Demoshire.",
    "theme_colour": "#7a1f5c",
}


@pytest.fixture
def demoshire(tmp_path) -> World:
    made = World(make_core(tmp_path, **SET))
    made.hire()
    return made


def house(**more: str) -> Core:
    return build_core(Settings(keys=Fernet.generate_key().decode(), lookup_key="k" * 32, **more))


@pytest.mark.parametrize(
    ("door", "number"),
    [("me", "0800 1111"), ("friend", "0800 1111"), ("parent", "0808 800 2222"), ("concern", "0808 800 5000")],
)
def test_every_door_has_its_words_its_link_and_its_numbers(door: str, number: str) -> None:
    poster = make_poster(house(**SET), door)
    assert poster.telegram.address == f"https://t.me/demoshire_earshot_bot?start={door}"
    assert poster.web.address == "https://chat.demoshire.example/", "the same for all: it stays in a history"
    assert any("999" in line for line in poster.numbers) and any(number in line for line in poster.numbers)
    assert poster.drafts and all(name.startswith("utter_poster_") for name in poster.drafts)
    assert len({make_poster(house(), each).title for each in DOOR_NAMES}) == len(DOOR_NAMES) == 4


def test_without_a_bots_name_there_is_no_telegram_on_it() -> None:
    assert make_poster(house(), "me").telegram is None
    assert make_poster(house(**SET), "me", telegram=False).telegram is None
    with pytest.raises(UnknownSpeaker):
        make_poster(house(), "anybody")


def test_a_number_that_nobody_checked_again_is_told(monkeypatch) -> None:
    core = house()
    monkeypatch.setattr(Core, "now", lambda _self: datetime(2031, 1, 1, tzinfo=timezone.utc))
    assert make_poster(core, "me").overdue == ("999", "Childline")


def test_a_square_is_the_code_of_its_address() -> None:
    square = make_poster(house(**SET), "me").web
    rows = square.rows()
    wanted = segno.make_qr("https://chat.demoshire.example/", error="m")
    assert len(rows) == wanted.symbol_size(border=0)[0] and all(len(row) == len(rows) for row in rows)
    # The three finder patterns (ISO/IEC 18004): seven modules dark along their edges, light around.
    for down, across in ((0, 0), (0, len(rows) - 7), (len(rows) - 7, 0)):
        assert all(rows[down][across : across + 7]) and all(rows[down + 6][across : across + 7])
    assert square.picture().startswith("data:image/svg+xml")


@pytest.mark.parametrize("door", DOOR_NAMES)
@pytest.mark.parametrize("more", [{}, SET], ids=["plain", "set"])
def test_a_pdf_is_one_page_of_a4(door: str, more: dict[str, str]) -> None:
    for content in (
        poster_pdf(make_poster(house(**more), door)),
        cards_pdf(make_poster(house(**more), door)),
    ):
        assert content.startswith(b"%PDF") and content.count(b"/Type /Page\n") == 1
        assert b"595.28 841.89" in content


def test_leads_and_administrators_make_posters_and_nobody_else(demoshire: World) -> None:
    for who, status in (("lena", 200), ("ada", 200), ("priya", 403), ("okoro", 403)):
        assert demoshire.at_desk(who).get("/desk/posters").status_code == status
        assert demoshire.at_desk(who).get("/desk/posters/file.pdf").status_code == status
    assert demoshire.browser().get("/desk/posters").status_code == 303


def test_the_page_shows_the_paper_as_it_will_be_printed(demoshire: World) -> None:
    ada = demoshire.at_desk("ada")
    page = ada.get("/desk/posters?door=concern").text
    say = demoshire.core.content.say
    for words in ("utter_poster_title_other_child", "utter_poster_lead_other_child", "utter_poster_text"):
        assert say(words).replace("'", "&#39;") in page
    for words in (SET["body_name"], SET["welcome"], "chat.demoshire.example", "?start=concern", "A draft:"):
        assert words in page
    cards = ada.get("/desk/posters?door=me&size=cards&telegram=0").text
    assert cards.count('class="paper paper-cards"') == 10 and "t.me" not in cards
    assert ada.get("/desk/posters?door=nobody&size=huge").status_code == 200
    made = ada.get("/desk/posters/file.pdf?door=friend&size=cards")
    assert made.headers["content-type"] == "application/pdf"
    assert made.headers["content-disposition"] == 'inline; filename="cards-friend.pdf"'


def test_the_command_writes_a_pdf_and_names_what_is_unsigned(core: Core, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("bot.bootstrap.core", lambda: core)
    file = tmp_path / "poster.pdf"
    done = CliRunner().invoke(cli.app, ["poster", str(file), "--door", "parent", "--size", "cards"])
    assert done.exit_code == 0 and file.read_bytes().startswith(b"%PDF")
    assert "utter_poster_title_own_child" in done.output.replace("\n", "")
    wrong = CliRunner().invoke(cli.app, ["poster", str(file), "--door", "anybody"])
    assert wrong.exit_code == 1 and "concern" in wrong.output
