"""The documents tell the truth: nothing missing from them, nothing in them that is gone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.fernet import Fernet
from starlette.routing import BaseRoute, Mount, Route

from bot import cli
from bot.bootstrap import build_core
from bot.gateway.app import create_app
from bot.risk.detector import Detector
from bot.risk.effect import UnknownFamily, effect_of
from bot.risk.examples import check_family
from bot.risk.labelled import Labelled
from bot.risk.taxonomy import About, Category, Level
from bot.settings import ROOT, Settings

README, ARCHITECTURE, DATA = (ROOT / name for name in ("README.md", "docs/architecture.md", "data/README.md"))
DOCUMENTS = (README, ARCHITECTURE, DATA)
#: Where a path in backticks may begin; other words with a slash are addresses or choices.
TOP = ("bot", "actions", "data", "tests", "docs", ".ci")
ROOT_FILE = re.compile(r"(Makefile|Procfile|\.python-version|[\w.]+\.(md|yml|toml|lock))")
#: Made by a set-up, so not in a fresh clone.
MADE = ("var/", ".venv/")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_spans(text: str) -> list[str]:
    """What stands in backticks, fenced blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def paths_named(document: Path) -> Iterator[Path]:
    """Files and folders that a document names; those in data/README.md may be named from data/."""
    for span in code_spans(document.read_text()):
        if not re.fullmatch(r"[\w./-]+", span) or span.startswith(("/", *MADE)):
            continue
        first, _, rest = span.partition("/")
        if (rest or span.endswith("/")) and first in TOP:
            yield ROOT / span
        elif document == DATA and (rest or span.endswith(".yml") or span.endswith("/")):
            in_data = ROOT / "data" / span
            yield in_data if in_data.exists() or rest else ROOT / "data" / "responses" / span
        elif document != DATA and ROOT_FILE.fullmatch(span):
            yield ROOT / span


def anchors(document: Path) -> set[str]:
    """The anchors that the headings of a document get."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(command: Any, words: tuple[str, ...] = ("earshot",)) -> Iterator[str]:
    """Every command, as it is typed."""
    # Not isinstance(command, click.Group): newer Typer brings a click of its own.
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words)
        return
    for name, one in below.items():
        yield from commands(one, (*words, name))


def addresses(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and path of every route of the gateway; of what is mounted, the prefix."""
    for route in routes:
        if isinstance(route, Mount):
            yield "", route.path
        elif isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, route.path


SPANS = set(code_spans(ARCHITECTURE.read_text()))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    settings = Settings(
        keys=Fernet.generate_key().decode(),
        lookup_key="k" * 32,
        database_url=f"sqlite:///{tmp_path_factory.mktemp('gateway') / 'earshot.db'}",
    )
    return create_app(build_core(settings))


def setting_row(variable: str) -> str:
    """The row of the settings table that a variable has."""
    rows = re.findall(rf"^\| `{variable}` \|.*$", ARCHITECTURE.read_text(), re.MULTILINE)
    assert len(rows) == 1, f"{variable} needs one row in the settings table of docs/architecture.md"
    return rows[0]


@pytest.mark.parametrize("field", Settings.__fields__.values(), ids=lambda field: field.name)
def test_every_setting_is_documented_with_its_default(field):
    (variable,) = (name.upper() for name in field.field_info.extra["env_names"])
    cell = setting_row(variable).split("|")[2]
    default = field.get_default()
    if field.required:
        assert cell.strip() == "required"
    elif field.name == "database_url":
        assert default == f"sqlite:///{ROOT}/var/earshot.db" and "sqlite:///var/earshot.db" in cell
    elif hasattr(default, "get_secret_value") or default == "":
        assert cell.strip() == "empty"
    else:
        told = str(default).lower() if isinstance(default, bool) else str(default)
        assert cell.strip() == f"`{told}`"


def test_no_setting_is_documented_that_is_gone():
    known = {name.upper() for f in Settings.__fields__.values() for name in f.field_info.extra["env_names"]}
    told = re.findall(r"^\| `([A-Z_]+)` \|", ARCHITECTURE.read_text(), re.MULTILINE)
    assert told and set(told) == known


@pytest.mark.parametrize("command", sorted(commands(typer.main.get_command(cli.app))))
def test_every_command_is_documented(command):
    assert command != "earshot", "no command was found"
    assert command in SPANS


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_command_is_documented_that_is_gone(document):
    known = set(commands(typer.main.get_command(cli.app)))
    told = re.findall(r"(?:`|bin/)earshot ((?:[a-z-]+ ?)+)", document.read_text())
    wrong = [words for words in told if not any(f"earshot {words} ".startswith(f"{one} ") for one in known)]
    assert told and not wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_target_named_exists(document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = set(re.findall(r"(?:`|^)(?:[A-Z_]+=\S+ )?make ([a-z-]+)", document.read_text(), re.MULTILINE))
    assert told and told <= targets


def test_every_public_address_is_documented(gateway):
    told = SPANS | set(re.findall(r"^### `([^`]+)`$", ARCHITECTURE.read_text(), re.MULTILINE))
    missing = [(m, p) for m, p in addresses(gateway.routes) if f"{m} {p}".strip() not in told]
    assert not missing


def test_no_public_address_is_documented_that_is_gone(gateway):
    known = {f"{method} {path}".strip() for method, path in addresses(gateway.routes)}
    told = {span for span in SPANS if re.match(r"(GET|POST|DELETE|PUT|PATCH) /", span)}
    assert told and told <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_named_exists(document):
    named = list(paths_named(document))
    assert named and not [path for path in named if not path.exists()]


def test_every_module_has_its_line_in_the_tree():
    told = {path for path in paths_named(ARCHITECTURE)}
    modules = [
        path
        for folder in ("bot", "actions")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    ]
    folders = {path for path in told if path.is_dir() and name_of(path).count("/") >= 2}
    missing = [name_of(m) for m in modules if m not in told and folders.isdisjoint(m.parents)]
    assert modules and not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_and_pictures_lead_somewhere(document):
    text = document.read_text()
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    ours = [target for target in targets if not target.startswith("https://")]
    wrong = []
    for target in ours:
        file, _, anchor = target.partition("#")
        path = document.parent / file if file else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            wrong.append(target)
    assert ours and not wrong


def test_pictures_are_few_and_small():
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert 0 < len(pictures) <= 3
    assert all(picture.suffix == ".png" and picture.stat().st_size < 200_000 for picture in pictures)


@pytest.fixture
def worked_example(tmp_path) -> Path:
    """A copy of the risk data with the family of data/README.md at the end of the file it names."""
    for folder in ("risk", "nlu"):
        (tmp_path / folder).mkdir()
        for file in (ROOT / "data" / folder).glob("*.yml"):
            shutil.copy(file, tmp_path / folder)
    blocks = re.findall(r"^```yaml\n(.*?)^```", DATA.read_text(), re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if "must_match" in block]
    file = tmp_path / "risk" / "domestic_abuse.yml"
    assert "Open `risk/domestic_abuse.yml` and put this at the end" in DATA.read_text()
    file.write_text(file.read_text() + block)
    return tmp_path


def test_the_worked_phrase_family_loads_and_its_examples_come_out_as_written(worked_example):
    detector = Detector.load(worked_example)
    (family,) = [family for family in detector.data.families if family.name == "ready_to_run"]
    assert check_family(family, detector) == []


def test_the_worked_phrase_family_hears_what_was_not_heard_by_it_before(worked_example):
    text = "i sleep in my clothes in case he comes back"
    before = {evidence.family for evidence in Detector.load().assess(text).evidence}
    after = {evidence.family for evidence in Detector.load(worked_example).assess(text).evidence}
    assert "ready_to_run" in after - before


def test_what_the_worked_phrase_family_changes_can_be_seen(worked_example):
    said = [
        "mum keeps a bag packed by the door in case he comes home angry and it kicks off again",
        "nan has a bag packed for hospital",
    ]
    rows = [
        Labelled(said[0], Level.HIGH, (Category.DOMESTIC_ABUSE,), About.SELF, "plain", "", 1),
        Labelled(said[1], Level.NONE, (), About.SELF, "plain", "", 2),
    ]
    effect = effect_of("ready_to_run", rows, Detector.of_words(worked_example))
    (change,) = effect.matched
    assert change.row.text == said[0]
    assert change.having.finding.level is Level.HIGH
    assert effect.figures().get("sensitivity", (1, 0)) == (1, 0)
    with pytest.raises(UnknownFamily, match="ready_to_run"):
        effect_of("ready_to_walk", rows, Detector.of_words(worked_example))


def test_the_conversations_on_paper_are_what_earshot_says_today() -> None:
    # In a process of its own: playing them sets how Rasa logs, for good.
    play = "import sys; from bot.operate.transcripts import written; sys.stdout.write(written())"
    played = subprocess.run(
        [sys.executable, "-c", play], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    )
    on_paper = (ROOT / "docs" / "conversations.md").read_text(encoding="utf-8")
    assert on_paper.split("\n") == played.stdout.split("\n"), "`earshot transcripts` writes it anew"
