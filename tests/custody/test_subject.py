"""Everything held on one conversation, for the person it is about."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from bot.custody import purge as purging
from bot.custody import subject
from bot.custody.sealed import belongings, is_hash, is_sealed
from bot.handover import DISCLOSURE, MESSAGE
from bot.messages import Channel
from bot.store.models import AuditEntry, Base
from tests.custody.conftest import MARKER


def exported(core, told) -> subject.Export:
    with core.uow() as uow:
        export = subject.export_of(uow, uow.conversation(told.id), core.now(), "operator")
        uow.commit()
    return export


def test_it_holds_every_word_of_every_table(core, talk, raw) -> None:
    told = talk(kind=DISCLOSURE, channel=Channel.TELEGRAM)
    document = json.loads(exported(core, told).to_json())
    held = document["held"]
    mine = {table.name for table in belongings()}
    for name, values in raw().items():
        table, _, column = name.partition(".")
        if table in mine and column != "code" and values:
            said = [row[column] for row in held[table] if row[column] is not None]
            assert len(said) == len(values), name
    assert json.dumps(held).count(MARKER) > 8
    assert document["who_did_what"][0]["what"] == "opened" and document["kept"]["rule"]


def test_it_lets_nobody_in(core, talk) -> None:
    told = talk(kind=MESSAGE, channel=Channel.TELEGRAM, working_code=True)
    with core.store.read() as uow:
        row = uow.conversation(told.id)
        secrets = (row.code_hash, row.code, told.code)
    text = exported(core, told).to_json() + exported(core, told).to_html()
    assert not [secret for secret in secrets if secret in text]
    columns = [c for table in belongings() for c in table.columns]
    assert not [c for c in columns if is_hash(c) and subject._told(c)]
    assert [c for c in columns if is_sealed(c) and not subject._told(c)] == [
        Base.metadata.tables["conversation"].c.code
    ]


def test_the_page_is_read_like_a_conversation_and_runs_nothing(core, talk) -> None:
    told = talk(kind=DISCLOSURE)
    with core.uow() as uow:
        uow.messages(told.id)[0].text = f"<script>alert(1)</script> {MARKER}"
        uow.commit()
    page = exported(core, told).to_html()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "<h2>The conversation</h2>" in page and f"we spoke {MARKER}" in page and "Hit by adult" in page


def test_it_is_found_by_reference_and_by_return_code_however_it_is_typed(core, talk) -> None:
    told, other = talk(kind=MESSAGE, working_code=True), talk(working_code=True)
    with core.store.read() as uow:
        reference = uow.handover(told.case).reference
        for named in (reference, f" {reference.lower()} ", told.code, told.code.replace("-", " ").upper()):
            assert subject.find(uow, named).id == told.id
        assert subject.find(uow, other.code).id == other.id
        for named in ("ABC-000", "no such words at all", ""):
            with pytest.raises(subject.NothingHeld):
                subject.find(uow, named)


def test_of_what_was_purged_nothing_is_held(core, talk) -> None:
    told = talk(40_000, kind=MESSAGE, working_code=True)
    with core.store.read() as uow:
        reference = uow.handover(told.case).reference
    purging.purge(core, core.now())
    with core.store.read() as uow:
        for named in (reference, told.code):
            with pytest.raises(subject.NothingHeld):
                subject.find(uow, named)


def test_the_command_writes_two_files_for_this_user_alone_and_overwrites_nothing(
    core, talk, command, tmp_path
) -> None:
    told = talk(kind=MESSAGE, working_code=True)
    with core.store.read() as uow:
        reference = uow.handover(told.case).reference
    status, said = command("subject-export", told.code, "--into", str(tmp_path))
    assert status == 0 and MARKER not in said
    files = sorted(tmp_path.glob(f"earshot-{reference}.*"))
    assert [file.suffix for file in files] == [".html", ".json"]
    assert all(MARKER in file.read_text() and file.stat().st_mode & 0o077 == 0 for file in files)
    assert "exists" in command("subject-export", reference, "--into", str(tmp_path))[1]
    assert command("subject-export", "ABC-000")[0] == 1
    with core.store.read() as uow:
        noted = uow.session.scalars(select(AuditEntry).where(AuditEntry.action == "subject_exported")).all()
    assert {(e.actor, e.conversation_id) for e in noted} == {("operator", told.id)}
