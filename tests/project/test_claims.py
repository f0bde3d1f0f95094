"""Claims in the documents that end with ``[test: path::name]`` are tied to tests that exist.

Read by syntax, not by import: a document may name a test that needs a browser or a trained model.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from bot.settings import ROOT
from tests.project.test_documents import anchors

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
TIE = re.compile(r"\[test: ([^\]\n]+)\]")
#: Documents whose claims are worth nothing without ties.
MUST_HAVE_TIES = (
    "safety_case.md",
    "threat_model.md",
    "dpia.md",
    "childrens_code.md",
    "accessibility.md",
    "security.md",
)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Node ids of a file of tests, without its path: ``test_x`` or ``TestClass::test_x``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        below = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for one in below:
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and one.name.startswith("test_"):
                found.add(f"{prefix}{one.name}")
    return frozenset(found)


def broken(text: str) -> list[str]:
    """The ties of a text that lead to no test."""
    wrong = []
    for tie in TIE.findall(text):
        file, _, name = tie.partition("::")
        path = ROOT / file
        if not (file.startswith("tests/") and path.is_file() and name in names_in(path)):
            wrong.append(tie)
    return wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_claim_is_tied_to_a_test_that_exists(document: Path) -> None:
    assert not broken(document.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "deploy" / "README.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        path = document.parent / file if file else document
        ours = not target.startswith("https://")
        if ours and (not path.exists() or (anchor and anchor not in anchors(path))):
            wrong.append(target)
    assert not wrong


@pytest.mark.parametrize("name", MUST_HAVE_TIES)
def test_a_document_of_claims_has_ties(name: str) -> None:
    assert len(TIE.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))) >= 10


def test_every_tie_is_written_in_the_one_form() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert len(re.findall(r"\[tests?:", text, re.IGNORECASE)) == len(TIE.findall(text)), document.name


def test_a_tie_to_nothing_would_be_noticed() -> None:
    here = "tests/project/test_claims.py"
    good = f"True [test: {here}::test_a_tie_to_nothing_would_be_noticed]."
    assert not broken(good)
    for bad in (
        f"{here}::test_gone",
        f"{here}::broken",
        "tests/project/gone.py::test_x",
        "bot/cli.py::main",
        here,
    ):
        assert broken(f"{good} False [test: {bad}].") == [bad]
