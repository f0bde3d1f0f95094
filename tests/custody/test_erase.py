"""What the person deletes from the chat is gone from every sealed column, of tables added later too."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKey, Integer, Table, select

from bot.changes import Changes
from bot.conversation import Conversations
from bot.custody.hold import hold
from bot.custody.sealed import belongings, of_handover, sealed_tables
from bot.handover import DISCLOSURE, EARLY_HELP, MESSAGE
from bot.messages import Channel
from bot.risk.detector import assess
from bot.store.encryption import Encrypted, EncryptedJSON
from bot.store.models import AuditEntry, Base, Conversation
from tests.custody.conftest import MARKER


@pytest.fixture
def conversations(core, dialogue) -> Conversations:
    return Conversations(core, dialogue, assess, Changes(core.store))


@pytest.fixture
def later(core):
    """A table that somebody hangs on a case one day, and one that hangs on that."""
    note = Table(
        "later_note",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("handover_id", ForeignKey("handover.id"), nullable=False),
        Column("words", Encrypted, nullable=False),
    )
    reply = Table(
        "later_reply",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("note_id", ForeignKey("later_note.id"), nullable=False),
        Column("words", EncryptedJSON),
    )
    for table in (note, reply):
        table.create(core.store.engine)

    def write(case: int) -> None:
        with core.store.engine.execution_options(earshot_write=True).begin() as connection:
            connection.execute(note.insert().values(id=1, handover_id=case, words=MARKER))
            connection.execute(reply.insert().values(id=1, note_id=1, words=[MARKER]))

    yield write
    for table in (reply, note):
        Base.metadata.remove(table)


def sealed_of_conversations(raw) -> dict[str, list[bytes]]:
    mine = {table.name for table in belongings()}
    return {name: values for name, values in raw().items() if name.partition(".")[0] in mine and values}


def test_every_word_of_a_chat_without_a_case_is_gone(
    core, talk, raw, everything, conversations, later
) -> None:
    told = talk()
    assert conversations._erase(told.id)
    assert sealed_of_conversations(raw) == {}
    assert MARKER not in everything() and told.code not in everything()


@pytest.mark.parametrize("kind", [MESSAGE, EARLY_HELP])
def test_every_word_of_a_closed_case_goes_with_the_chat(
    core, talk, raw, everything, conversations, later, kind
) -> None:
    told = talk(kind=kind)
    later(told.case)
    assert conversations._erase(told.id)
    assert sealed_of_conversations(raw) == {} and MARKER not in everything()
    with core.store.read() as uow:
        row = uow.conversation(told.id)
        assert row.session_hash is row.code_hash is row.address_hash is None and row.erased_at
        assert uow.handover(told.case).reference


def test_of_a_disclosure_the_chat_goes_and_the_case_stays_until_its_time(
    core, talk, raw, everything, conversations, later
) -> None:
    """data/retention.yml says so: whoever holds the child's phone cannot make it unsaid."""
    told = talk(kind=DISCLOSURE)
    later(told.case)
    assert conversations._erase(told.id)
    there = {name.partition(".")[0] for name in sealed_of_conversations(raw)}
    assert there <= of_handover() and {"handover", "later_note", "later_reply"} <= there
    with core.store.read() as uow:
        assert uow.handover(told.case).outcome == f"we spoke {MARKER}"
        assert all(m.text is None and m.finding is None for m in uow.messages(told.id))


def test_under_a_legal_hold_nothing_is_deleted_and_the_person_is_told(core, talk, raw, conversations) -> None:
    told = talk(kind=MESSAGE)
    with core.uow() as uow:
        hold(uow, uow.handover(told.case), "lena", "court", core.now())
        uow.commit()
    before = raw()
    conversations._erase_as_asked(told.id)
    after = raw()
    assert all(
        value in after[name] for name, values in before.items() for value in values if "memory" not in name
    )
    with core.store.read() as uow:
        assert uow.messages(told.id)[-1].text == core.content.say("utter_delete_not_held")
        assert not uow.conversation(told.id).erased_at


async def test_each_door_says_why_it_is_kept(core, talk, conversations) -> None:
    waiting, held = talk(kind=MESSAGE, open_case=True), talk(kind=MESSAGE)
    with core.uow() as uow:
        hold(uow, uow.handover(held.case), "lena", "court", core.now())
        uow.commit()
    assert not await conversations.erase(waiting.id) and not await conversations.erase(held.id)
    assert await conversations.why_kept(waiting.id) == "utter_delete_not_open_case"
    assert await conversations.why_kept(held.id) == "utter_delete_not_held"


def test_in_telegram_the_goodbye_is_still_said(core, talk, conversations) -> None:
    told = talk(channel=Channel.TELEGRAM)
    with core.uow() as uow:
        from bot import transcript

        transcript.say(uow, uow.conversation(told.id, lock=True), "utter_deleted", core.now())
        uow.commit()
    assert conversations._erase(told.id)
    with core.store.read() as uow:
        row = uow.conversation(told.id)
        assert row.address and row.address_hash is None
        assert [m.text for m in uow.messages(told.id) if m.text] == [core.content.say("utter_deleted")]


def test_that_it_was_erased_stands_in_the_log(core, talk, conversations) -> None:
    told = talk()
    conversations._erase(told.id)
    with core.store.read() as uow:
        last = uow.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert (last.actor, last.action, last.conversation_id) == ("person", "erased", told.id)
        assert uow.session.get(Conversation, told.id).counted_at


def test_no_sealed_column_of_a_row_that_stays_is_required() -> None:
    """What cannot be emptied cannot be erased."""
    for table in sealed_tables():
        if table.name in ("conversation", "handover"):
            columns = Base.metadata.tables[table.name].c
            assert all(columns[name].nullable for name in table.columns)
