"""The runbook names only what exists: commands, options, pages, buttons, events, files, units and anchors."""

from __future__ import annotations

import re

import typer

from bot import cli
from bot.desk import access
from bot.settings import ROOT, Settings, variables
from tests.project.test_documents import anchors, commands

RUNBOOK = ROOT / "docs" / "runbook.md"
TEXT = RUNBOOK.read_text(encoding="utf-8")
#: What stands in backticks or in a block: what is typed.
CODE = "\n".join([*re.findall(r"^```\n(.*?)^```", TEXT, re.DOTALL | re.M), *re.findall(r"`([^`\n]+)`", TEXT)])
TYPED = re.findall(r"earshot(?:-admin)? ([a-z][^\n`]*)", CODE)


def test_every_command_and_option_exists() -> None:
    group = typer.main.get_command(cli.app)
    known = set(commands(group))
    asked = [words for words in TYPED if f"earshot {words}" not in known]
    assert len(TYPED) >= 12 and {"doctor", "purge", "audit verify"} <= set(TYPED)
    for line in asked:
        fits = [one for one in known if f"earshot {line} ".startswith(f"{one} ")]
        assert fits, line
        command = group
        for word in max(fits, key=len).split()[1:]:
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in line.split() if word.startswith("--")} <= options, line


def test_every_page_of_the_desk_exists() -> None:
    pages = {path.partition("?")[0] for path in re.findall(r"/desk(/[\w/?=-]*)", CODE)}
    assert {"/", "/practice", "/people", "/audit", "/account", "/conduct"} <= pages
    assert all(access.rule_for(path, "GET") for path in pages), pages


def test_every_public_address_exists() -> None:
    source = (ROOT / "bot" / "gateway" / "app.py").read_text()
    named = set(re.findall(r"(?<![\w/])(/[a-z]+z)\b", CODE))
    assert named == {"/healthz", "/readyz"} and all(f'Route("{path}"' in source for path in named)


def test_every_name_in_bold_stands_on_a_page_of_the_desk() -> None:
    pages = "\n".join(path.read_text() for path in (ROOT / "bot" / "desk" / "templates").glob("*.html"))
    words = re.sub(r"<[^>]*>", "", pages)
    named = set(re.findall(r"\*\*([^*]+)\*\*", TEXT)) - {"bold"}
    assert len(named) >= 15
    missing = [name for name in named if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", f"{words}{pages}")]
    assert not missing


def test_every_event_of_the_log_is_written_somewhere() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
    names = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", TEXT))
    assert len(names) >= 6 and all(f'"{name}"' in code for name in names)


def test_every_unit_file_target_and_variable_exists() -> None:
    units = {path.stem for path in (ROOT / "deploy" / "systemd").iterdir()}
    asked = re.findall(r"(?:systemctl [a-z]+|journalctl -u) ((?:earshot[\w.-]* ?)+)", CODE)
    assert len(asked) >= 5 and {name for names in asked for name in names.split()} <= units
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"env"} <= set(re.findall(r"^make ([a-z]+)$", CODE, re.M)) <= targets
    assert set(re.findall(r"\bEARSHOT_[A-Z_]+\b", TEXT)) <= set(variables()) | {"EARSHOT_CACHE"}


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", TEXT)
    assert len(links) > 20
    for link in links:
        file, _, anchor = link.partition("#")
        target = RUNBOOK.parent / file if file else RUNBOOK
        assert target.exists() and (not anchor or anchor in anchors(target)), link


def test_the_times_it_names_are_those_of_the_settings() -> None:
    default = {name: field.get_default() for name, field in Settings.__fields__.items()}
    assert default["deadline_immediate"] == 2 * 60 and "| 2 minutes; everybody" in TEXT
    assert default["deadline_high"] == 10 * 60 and "| harm was told | 10 minutes |" in TEXT
    assert default["deadline_message"] == 3600 and default["deadline_request"] == 24 * 3600
    assert "1 hour for a message, 24 hours for the others" in TEXT
    assert default["silence_after_accept"] == 15 * 60 and "write nothing for 15 minutes" in TEXT
