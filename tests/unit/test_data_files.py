"""A data file that cannot be used is named, with its line and what to do."""

from __future__ import annotations

import pytest

from bot.content import Content, ContentError
from bot.custody.retention import RetentionError, load_retention
from bot.data_files import DataFileError, read_yaml


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "the file: cannot be read .* put the file back from git"),
        (b"services:\n- name: [\n", r"line \d: is not valid YAML.* check indents"),
        (b"name: caf\xe9\n", "the file: is not UTF-8 text.* save it as UTF-8"),
        (b"name: a\x00b\n", "is not valid YAML"),
        (b"!!python/object/apply:os.getcwd []\n", "is not valid YAML"),
    ],
    ids=["missing", "malformed", "another encoding", "binary", "a command"],
)
def test_a_file_that_cannot_be_used_is_named_with_a_remedy(tmp_path, content, told) -> None:
    path = tmp_path / "numbers.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataFileError, match=rf"numbers\.yml: .*{told}"):
        read_yaml(path)


def test_what_stands_in_a_file_is_read_as_it_stands(tmp_path) -> None:
    path = tmp_path / "words.yml"
    path.write_text("name: café\ndays: 3\nnone:\n", encoding="utf-8")
    assert read_yaml(path) == {"name": "café", "days": 3, "none": None}


def test_those_who_read_it_say_so_in_their_own_name(tmp_path) -> None:
    (tmp_path / "responses").mkdir()
    path = tmp_path / "responses" / "safety.yml"
    path.write_bytes(b"responses: caf\xe9\n")
    with pytest.raises(ContentError, match=r"safety\.yml: the file: is not UTF-8 text"):
        Content.load(tmp_path)
    with pytest.raises(RetentionError, match=r"safety\.yml: the file: is not UTF-8 text"):
        load_retention(path)
