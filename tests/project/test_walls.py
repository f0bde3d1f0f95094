"""The walls of the house: who may import whom, and what may not lie about in the code."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.settings import ROOT

SOURCES = sorted([*(ROOT / "bot").rglob("*.py"), *(ROOT / "actions").rglob("*.py")])
#: The only places that know Rasa.
KNOWS_RASA = (
    "bot/nlu/",
    "bot/risk/component.py",
    "bot/risk/policy.py",
    "bot/store/tracker.py",
    "bot/risk/evaluation",
    "bot/operate/transcripts.py",
)
#: The core: rules that take plain values and know neither the database, nor a channel, nor Rasa.
PURE = ("bot/rota.py", "bot/messages.py", "bot/risk/taxonomy.py", "bot/risk/detector.py", "bot/codes.py")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, at its top or inside a function, but not for types only."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_bot_never_imports_actions(path: Path) -> None:
    if name_of(path).startswith("bot/"):
        assert not [m for m in imports(path) if m.split(".")[0] == "actions"]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_a_few_files_know_rasa(path: Path) -> None:
    if not name_of(path).startswith(KNOWS_RASA) and not name_of(path).startswith("actions/"):
        assert not [m for m in imports(path) if m.split(".")[0] in ("rasa", "rasa_sdk")]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_core_does_not_know_the_edges(path: Path) -> None:
    edges = ("bot.channels", "bot.desk", "bot.gateway", "bot.operate", "bot.cli")
    if (
        path.parent == ROOT / "bot"
        and path.name not in ("cli.py",)
        or name_of(path).startswith(("bot/store/", "bot/risk/", "bot/nlu/", "bot/alerts/"))
    ):
        allowed = name_of(path) == "bot/cli.py"
        assert allowed or not [m for m in imports(path) if m.startswith(edges)]


@pytest.mark.parametrize("file", PURE)
def test_the_rules_take_plain_values(file: str) -> None:
    outside = ("sqlalchemy", "telegram", "starlette", "rasa", "rasa_sdk", "httpx")
    assert not [m for m in imports(ROOT / file) if m.split(".")[0] in outside]


def test_the_handover_does_not_know_the_database_library() -> None:
    assert not [m for m in imports(ROOT / "bot/handover/transitions.py") if m.split(".")[0] == "sqlalchemy"]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_words_a_person_reads_are_not_in_the_code(path: Path) -> None:
    found = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("utter_message")
        and (node.args or any(keyword.arg == "text" for keyword in node.keywords))
    ]
    assert not found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_handover_changes_who_owns_a_conversation(path: Path) -> None:
    if name_of(path) != "bot/handover/transitions.py":
        assert not re.search(r"\.owner\s*=[^=]", path.read_text())


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def test_nothing_is_in_git_that_does_not_belong_there() -> None:
    unwanted = re.compile(r"\.(db|sqlite3?|onnx|pyc|env|tar\.gz)$|^models/|^\.venv/|^var/|secrets\.env")
    assert not [file for file in tracked() if unwanted.search(file)]


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    unwanted = re.compile(
        rb"/(root|home/\w+|work)/[\w.]+|files\.pythonhosted|pypi\.org|registry\.npmjs|deb\.debian"
    )
    wrong = []
    for file in tracked():
        path = ROOT / file
        if path.is_file() and path.suffix not in (".png", ".jsonl", ".safetensors"):
            if found := unwanted.search(path.read_bytes()):
                wrong.append((file, found.group().decode()))
    assert not [(file, text) for file, text in wrong if file != "tests/project/test_walls.py"]
