"""The first-run checklist names only commands, files, settings and addresses that exist."""

from __future__ import annotations

import re

import typer

from bot import cli
from bot.settings import ROOT, variables
from tests.project.test_documents import commands

FIRST_RUN = (ROOT / "docs" / "first_run.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
OTHERS = {"EARSHOT_CACHE"}


def test_every_command_of_the_checklist_exists() -> None:
    known = set(commands(typer.main.get_command(cli.app)))
    named = [words for words in re.findall(r"earshot(?:-admin)? ((?:[a-z][a-z-]+ ?)+)", _code())]
    wrong = [words for words in named if not any(f"earshot {words} ".startswith(f"{one} ") for one in known)]
    assert len(named) >= 8 and not wrong


def test_every_option_of_the_checklist_exists() -> None:
    group = typer.main.get_command(cli.app)
    for line in re.findall(r"earshot(?:-admin)? ([a-z][a-z -]*--[^\n`]+)", _code()):
        words = line.split()
        command = group.commands[words[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_file_and_target_of_the_checklist_exists() -> None:
    files = re.findall(r"(?:/opt/earshot/)?((?:deploy|data|docs)/[\w./*$-]+\w)", FIRST_RUN + DEPLOY)
    assert len(files) > 8
    for file in files:
        pattern = file.replace("$name", "*")
        assert list(ROOT.glob(pattern)), file
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)[`\n]", FIRST_RUN)) <= targets


def test_every_variable_and_unit_of_the_checklist_exists() -> None:
    named = set(re.findall(r"\bEARSHOT_[A-Z_]+\b", FIRST_RUN + DEPLOY))
    assert named and named <= set(variables()) | OTHERS
    units = {path.stem for path in (ROOT / "deploy" / "systemd").iterdir()}
    asked = re.findall(r"(?:systemctl [a-z]+(?: --now)?|journalctl -u) ((?:earshot[\w.-]* ?)+)", FIRST_RUN)
    assert len(asked) >= 5
    for name in " ".join(asked).split():
        assert name.removesuffix(".timer") in units


def _code() -> str:
    return "\n".join(
        [
            *re.findall(r"^```\n(.*?)^```", FIRST_RUN, re.DOTALL | re.MULTILINE),
            *re.findall(r"`([^`\n]+)`", FIRST_RUN),
        ]
    )
