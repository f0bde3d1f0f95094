"""What Earshot is built on: every direct dependency is accounted for, and the bill names every package."""

from __future__ import annotations

import json
import re
from importlib.metadata import metadata, requires, version
from pathlib import Path

import cyclonedx
import jsonschema
import pytest

from bot.operate.supply import held_back
from bot.operate.supply.bill import bill, licence_of
from bot.operate.supply.lock import OURSELVES, LockError, locked, normal
from bot.settings import ROOT

DEPENDENCIES = ROOT / "docs" / "dependencies.md"
SECURITY = ROOT / "docs" / "security.md"
#: How packages write the same licences.
SAME = {
    "apache software license": "apache-2.0",
    "apache license v2.0": "apache-2.0",
    "mit license": "mit",
    "bsd license": "bsd",
    "gnu library or lesser general public license (lgpl)": "lgpl",
    "gnu lesser general public license v3 (lgplv3)": "lgpl-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "gpl-3.0-or-later",
}


def wanted() -> set[str]:
    """Names of the packages that pyproject.toml asks for."""
    text = (ROOT / "pyproject.toml").read_text()
    lists = re.findall(r"^(?:dependencies|test) = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert len(lists) == 2
    return {normal(name) for one in lists for name in re.findall(r'^    "([\w.-]+)', one, re.MULTILINE)}


def told() -> dict[str, tuple[str, str]]:
    """``name -> (why, licence)`` of docs/dependencies.md."""
    rows = re.findall(r"^\| ([\w-]+) \| (.+?) \| (.+?) \|$", DEPENDENCIES.read_text(), re.MULTILINE)
    return {name: (why, licence) for name, why, licence in rows if name != "package"}


def parts(licence: str) -> set[str]:
    """The licences of an expression, each in one way of writing."""
    names = {one.strip().lower() for one in licence.split(" OR ")}
    return {SAME.get(name, name) for name in names}


def test_every_direct_dependency_stands_in_the_list_and_nothing_else() -> None:
    assert len(wanted()) > 50 and set(told()) == wanted()
    assert all(len(why) > 8 for why, _ in told().values())


@pytest.mark.parametrize("name", sorted(told()))
def test_the_licence_is_the_one_the_package_tells(name: str) -> None:
    licence = told()[name][1]
    known = licence_of(name)
    if not known:
        assert "to be checked" in licence
        return
    says, stands = parts(known), parts(licence)
    # "BSD License" does not say which BSD: then the list may.
    assert all(any(one == other or other.startswith(f"{one}-") for other in stands) for one in says), known


def test_a_licence_that_does_not_fit_would_be_noticed() -> None:
    assert not parts("MIT License") & parts("Apache-2.0")
    assert parts("Apache Software License OR MIT License") == parts("MIT OR Apache-2.0")


def test_what_is_installed_is_what_is_locked() -> None:
    releases = {normal(one.name): one.version for one in locked()}
    assert {name: version(name) for name in wanted()} == {name: releases[name] for name in wanted()}
    assert {normal(one.name) for one in locked() if OURSELVES in one.wanted_by} == wanted()


def test_every_locked_package_has_a_hash() -> None:
    assert len(locked()) > 200 and all(one.hashes for one in locked())


def test_a_lock_without_hashes_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "requirements.lock"
    file.write_text("# made by hand\nhttpx==0.28.1\n    # via earshot (pyproject.toml)\n")
    with pytest.raises(LockError, match="httpx"):
        locked(file)


def test_the_bill_is_valid_and_names_every_package_with_its_hashes() -> None:
    made = json.loads(bill())
    folder = Path(cyclonedx.__file__).parent / "schema"
    schema = json.loads((folder / "bom-1.4.schema.json").read_text())
    spdx = json.loads((folder / "spdx.schema.json").read_text())
    base = schema["$id"].rsplit("/", 1)[0]
    resolver = jsonschema.RefResolver.from_schema(
        schema, store={f"{base}/spdx.schema.json": spdx, f"{base}/jsf-0.82.schema.json": {"definitions": {}}}
    )
    jsonschema.Draft7Validator(schema, resolver=resolver).validate(made)
    named = {
        (one["name"], one["version"]): {h["content"] for h in one["hashes"]} for one in made["components"]
    }
    assert named == {(one.name, one.version): set(one.hashes) for one in locked()}
    needs = {one["ref"]: one["dependsOn"] for one in made["dependencies"] if one.get("dependsOn")}
    assert len(needs[made["metadata"]["component"]["bom-ref"]]) == len(wanted())


def test_what_rasa_holds_back_stands_in_the_document_as_it_is() -> None:
    assert held_back.table() in SECURITY.read_text()
    found = held_back.held_back()
    # The two that matter most: the web server of both old processes, and the model library that is not used.
    assert {"sanic", "tensorflow"} <= set(found)
    releases = {normal(one.name): one.version for one in locked()}
    assert all(releases[name] == release for name, (release, _) in found.items())
    assert any(line.startswith("sanic (") for line in requires("rasa") or ())


def test_the_report_of_vulnerabilities_fails_when_there_is_no_data() -> None:
    (line,) = re.findall(r"^audit:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "pip-audit --strict" in line and "-r requirements.lock" in line and "--require-hashes" in line


def test_nothing_of_the_gpl_is_part_of_what_runs() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    (runs,) = re.findall(r"^dependencies = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    for name in re.findall(r'^    "([\w.-]+)', runs, re.MULTILINE):
        assert not re.match(r"a?gpl|gnu general", licence_of(name).lower()), metadata(name)["Name"]
