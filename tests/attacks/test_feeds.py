"""Feeds of services as somebody hostile, or somebody's broken export, would send them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from bot.bootstrap import Core
from bot.directory.feed import FeedError, open_feed, read_json
from bot.directory.importer import import_feed
from bot.directory.library import Library
from bot.directory.records import clean
from bot.directory.shapes import BadRecord
from tests.attacks.driver import fuzz, resident
from tests.attacks.nasty import EVERYTHING, values
from tests.standins.service_feed import service

EXAMPLES = 400
WHOLE = service(3)


def paths_of(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, below in inner for path in paths_of(below, (*here, key)))]


def changed(path: tuple[Any, ...], value: Any) -> Any:
    """A good record in which one thing is another."""
    record = copy.deepcopy(WHOLE)
    if not path:
        return value
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return record


def test_a_record_is_taken_or_refused_whatever_stands_in_it() -> None:
    def act(example: tuple[tuple[Any, ...], Any]) -> None:
        try:
            clean(changed(*example))
        except BadRecord as refused:
            assert str(refused)

    fuzz(st.tuples(st.sampled_from(paths_of(WHOLE)), values), act, EXAMPLES)


def test_bytes_are_json_or_refused() -> None:
    def act(raw: bytes) -> None:
        try:
            read_json(raw, "the feed")
        except FeedError as refused:
            assert "the feed" in str(refused)

    encodings = st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-8-sig", "latin-1", "utf-7"])
    encoded = st.builds(
        lambda v, e: json.dumps(v, ensure_ascii=False).encode(e, "replace"), values, encodings
    )
    deep = st.builds(
        lambda n, o: o.encode() * n, st.sampled_from([999, 5_000, 100_000]), st.sampled_from(["[", '{"a":'])
    )
    numbers = st.sampled_from([b"1e999999", b"-0", b"9" * 10_000, b"NaN", b"Infinity", b"1" * 4_400 + b".0"])
    fuzz(st.one_of(st.binary(max_size=200), encoded, deep, numbers), act, EXAMPLES)


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_what_a_feed_says_is_shown_as_text_and_breaks_no_search(
    core: Core, tmp_path: Path, name: str
) -> None:
    text = EVERYTHING[name]
    records = [service(n) for n in range(6)]
    records[0] |= {"name": f"Club {text}", "description": text, "fees": text, "wait_time": text}
    records[1]["schedules"][0] |= {"opens_at": text, "byday": text}
    records[2]["organization"] |= {"name": text}
    file = tmp_path / "feed.json"
    file.write_text(json.dumps(records))
    done = import_feed(core.store, open_feed(str(file)), core.now)
    assert done.services + len(done.problems) == 6 and done.services >= 3
    assert len([s for s in Library(core).directory() if s.source != "data/directory"]) == done.services


def test_a_file_of_hostile_records_never_gets_half_in(core: Core, tmp_path: Path) -> None:
    good = [service(n) for n in range(4)]

    def act(bad: list[Any]) -> None:
        file = tmp_path / "feed.json"
        try:
            file.write_text(json.dumps([*good, *bad[:3]]))
        except UnicodeEncodeError:
            return
        try:
            done = import_feed(core.store, open_feed(str(file)), core.now)
        except FeedError:
            return  # refused whole, such as for a number that JSON does not have
        assert done.services >= 4

    record = st.tuples(st.sampled_from(paths_of(WHOLE)), values).map(lambda e: changed(*e)) | values
    fuzz(st.lists(record, min_size=1, max_size=3), act, 25)


def test_a_bomb_of_a_feed_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    file = tmp_path / "feed.json"
    before = resident()
    for content in (
        b'{"contents":' * 300_000,
        b"[" * 3_000_000,
        b'[{"id": "' + b"\\u0000" * 500_000 + b'"}]',
    ):
        file.write_bytes(content)
        try:
            list(open_feed(str(file)).pages(1))
        except FeedError:
            continue
    assert resident() - before < 120 * 2**20


@pytest.mark.parametrize("text", [t for t in EVERYTHING.values()][:3])
def test_a_name_of_a_feed_is_read_for_what_it_is(text: str) -> None:
    assert clean({**WHOLE, "name": "x" + text.strip()})["name"].startswith("x")
