"""``earshot directory``: import, export and check, as they are typed."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from bot import bootstrap
from bot.directory.command import app
from tests.standins.service_feed import service


@pytest.fixture
def earshot(core, monkeypatch):
    monkeypatch.setattr(bootstrap, "core", lambda: core)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_a_feed_goes_in_and_comes_out_and_what_is_broken_is_named(earshot, tmp_path):
    feed, out = tmp_path / "feed.json", tmp_path / "out.json"
    feed.write_text(json.dumps([service(1), service(2), {**service(3), "status": "odd"}]))
    done = earshot("import", feed)
    assert done.exit_code == 0 and "2 services" in done.output and "status is not one of" in done.output
    assert earshot("export", out).exit_code == 0
    exported = {record["name"] for record in json.loads(out.read_text())["contents"]}
    assert service(1)["name"] in exported and "Childline" in exported
    again = earshot("import", out)
    assert again.exit_code == 0 and "could not be taken" not in again.output


def test_what_is_no_feed_ends_with_a_reason(earshot, tmp_path):
    wrong = tmp_path / "page.html"
    wrong.write_text("<html>")
    done = earshot("import", wrong)
    assert done.exit_code == 1 and "not JSON" in done.output


def test_check_lists_what_is_overdue_and_what_could_not_be_taken(earshot, tmp_path):
    feed = tmp_path / "feed.json"
    feed.write_text(json.dumps([{**service(1), "assured_date": "2020-01-01"}, service(2), {"id": "broken"}]))
    earshot("import", feed)
    done = earshot("check")
    assert done.exit_code == 1
    assert "2020-01-01" in done.output and "broken" in done.output and "1 records not taken" in done.output
