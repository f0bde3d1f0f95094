"""The record, notes, reply templates and the letter, without a desk."""

from __future__ import annotations

import json
import re
import zlib
from datetime import timedelta

import pytest
import time_machine
import yaml
from sqlalchemy import text

from bot import handover, transcript
from bot.casework import letter, neglect, notes, opinions, record, replies
from bot.casework.letter_pdf import Block, Row, letter_pdf
from bot.casework.record import BadField, read_form
from bot.casework.replies import BadTemplate, RepliesError, Reply
from bot.fonts import printable
from bot.messages import Sender
from bot.settings import ROOT
from tests.project.test_words import FORBIDDEN, grade  # noqa: F401 - grade is a fixture
from tests.unit.test_handover import TUESDAY_NOON, new_conversation, opened, told

WORKER, OTHER, LEAD = "amina-begum", "tom-reilly", "helen-marsh"


@pytest.fixture
def held(core):
    """A case with two messages of the person, 1 and 2."""
    conversation = new_conversation(core)
    with core.uow() as uow:
        talk = uow.conversation(conversation, lock=True)
        for words in ("purple walrus hits me", "no food since sunday"):
            transcript.append(uow, talk, Sender.YOU, words, core.now())
        uow.commit()
    return opened(core, conversation, told()).handover_id


def save(core, case_id, base, who=WORKER, after=timedelta(), **form):
    with core.uow() as uow:
        saved = record.save(uow, uow.handover(case_id), who, base, read_form(form), core.now() + after)
        uow.commit()
    return saved


def test_the_record_is_saved_sealed_and_audited_without_its_words(core, held):
    number = first_message(core, held)
    saved = save(core, held, 0, **{f"q_{number}": "1", "protective": "Her nan", "f_16A": "1"})
    assert saved.now.number == 1 and saved.now.body["quotes"][0]["text"] == "purple walrus hits me"
    assert saved.now.body["factors"] == ["16A"]
    with core.store.engine.connect() as connection:
        stored = b"".join(
            bytes(row[0]) for row in connection.execute(text("SELECT body FROM record_version"))
        )
        entries = str(connection.execute(text("SELECT detail FROM audit")).all())
    assert b"walrus" not in stored and b"nan" not in stored
    assert "Her nan" not in entries and '"fields": ["protective", "quotes", "factors"]' in entries


def first_message(core, case_id):
    with core.store.read() as uow:
        return next(m.seq for m in uow.messages(uow.handover(case_id).conversation_id) if m.sender == "you")


def test_of_two_who_write_at_once_neither_loses_anything(core, held):
    save(core, held, 0, outcome="first")
    theirs = save(core, held, 1, OTHER, outcome="second, by Tom")
    mine = save(core, held, 1, WORKER, outcome="second, by Amina", who_knows="her teacher")
    assert mine.theirs == theirs.now and mine.theirs.body["outcome"] == "second, by Tom"
    with core.store.read() as uow:
        assert record.current(uow, held).body["outcome"] == "second, by Tom"
        kept = {(v.kind, v.body["outcome"], v.body["who_knows"]) for v in record.versions(uow, held)}
    assert ("aside", "second, by Amina", "her teacher") in kept and ("saved", "first", "") in kept
    put_together = save(core, held, mine.theirs.number, outcome="both", who_knows="her teacher")
    assert put_together.theirs is None and put_together.now.number == 3


def test_what_was_typed_on_an_old_version_but_says_the_same_is_no_conflict(core, held):
    save(core, held, 0, outcome="one")
    save(core, held, 1, OTHER, outcome="two")
    assert save(core, held, 1, outcome="two").theirs is None


def test_one_sitting_is_one_version_that_grows_and_the_next_is_another(core, held):
    for count, words in enumerate(("a", "ab", "abc")):
        save(core, held, count, outcome=words)
    with core.store.read() as uow:
        assert [(v.number, v.body["outcome"]) for v in record.versions(uow, held)] == [(3, "abc")]
    save(core, held, 3, after=record.ONE_SITTING * 2, outcome="later")
    with core.store.read() as uow:
        assert [v.number for v in record.versions(uow, held)] == [4, 3]


def test_words_that_were_quoted_stay_in_the_record_when_the_person_deletes_them(core, held):
    number = first_message(core, held)
    save(core, held, 0, **{f"q_{number}": "1"})
    with core.uow() as uow:
        uow.message(uow.handover(held).conversation_id, number).text = None
        uow.commit()
    saved = save(core, held, 1, **{f"q_{number}": "1", "outcome": "done"})
    assert saved.now.body["quotes"][0]["text"] == "purple walrus hits me"


def test_only_words_of_the_person_can_be_quoted(core, held):
    with core.uow() as uow:
        talk = uow.conversation(uow.handover(held).conversation_id, lock=True)
        ours = transcript.append(uow, talk, Sender.BOT, "I am a bot", core.now()).seq
        uow.commit()
    saved = save(core, held, 0, **{f"q_{ours}": "1", "q_9999": "1", "outcome": "x"})
    assert saved.now.body["quotes"] == []


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"outcome": "x" * 4_001}, "outcome"),
        ({"council_told": "maybe"}, "council_told"),
        ({"follow_up_on": "tomorrow"}, "follow_up_on"),
        ({f"q_{n}": "1" for n in range(61)}, "quotes"),
    ],
)
def test_a_field_that_cannot_be_kept_is_named(form, field):
    with pytest.raises(BadField) as found:
        read_form(form)
    assert found.value.field == field


def test_a_note_that_was_changed_in_the_database_is_found_out(core, held):
    with core.uow() as uow:
        notes.add(uow, uow.handover(held), WORKER, "She asked for her nan.", core.now())
        uow.commit()
    with core.store.read() as uow:
        assert [(n.text, n.whole) for n in notes.of(uow, held)] == [("She asked for her nan.", True)]
    with core.uow() as uow:
        sealed = uow.cipher.seal("She asked for nobody.")
        uow.session.execute(text("UPDATE case_note SET text = :sealed"), {"sealed": sealed})
        uow.commit()
    with core.store.read() as uow:
        assert [n.whole for n in notes.of(uow, held)] == [False]


@time_machine.travel(TUESDAY_NOON, tick=False)
def test_a_second_opinion_ends_when_the_case_closes_and_the_person_hears_nothing_of_it(core, held):
    with core.uow() as uow:
        handover.accept(uow, held, WORKER, core.now())
        talk = uow.handover(held).conversation_id
        before = len(uow.messages(talk))
        for _ in range(2):
            opinions.invite(uow, uow.handover(held), WORKER, LEAD, core.now())
        assert opinions.asked(uow, held) == (LEAD,) and len(uow.messages(talk)) == before
        with pytest.raises(handover.NotYours):
            opinions.invite(uow, uow.handover(held), OTHER, LEAD, core.now())
        with pytest.raises(opinions.CannotBeAsked):
            opinions.invite(uow, uow.handover(held), WORKER, WORKER, core.now())
        handover.close(uow, held, WORKER, "We spoke.", core.now())
        assert opinions.asked(uow, held) == ()
        assert not [m for m in uow.messages(talk)[before:] if "Helen" in (m.text or "")]


def test_the_signs_stand_under_the_four_headings_and_all_well_is_no_sign():
    found = neglect.named({"school"}, {"sign_food": "only toast", "sign_home": "ok", "words": "x"})
    assert [(s.name, s.words) for s in found["physical"]] == [("food", "only toast")]
    assert [s.name for s in found["educational"]] == ["school"]
    assert found["emotional"] == found["parental"] == ()


def test_every_sign_of_the_data_has_one_of_the_four_headings():
    signs = yaml.safe_load((ROOT / "data" / "risk" / "signs.yml").read_text(encoding="utf-8"))["signs"]
    assert {sign["heading"] for sign in signs} == set(neglect.HEADINGS)


def test_the_reply_templates_of_the_file_load_and_none_is_signed_by_nobody():
    found = replies.load(replies.FILE)
    assert len(found) >= 8
    assert all(bool(one.reviewed_by) == bool(one.reviewed_on) for one in found)
    assert all(one.text.count("?") <= 1 and "!" not in one.text for one in found)
    hello = found[0].filled({"first_name": "Sam"})
    assert "I am Sam." in hello and "{" not in hello


def test_reply_templates_are_as_easy_to_read_as_what_the_bot_says(grade):  # noqa: F811
    hard = [one.id for one in replies.load(replies.FILE) if grade(one.text) > 5 or FORBIDDEN.search(one.text)]
    assert not hard


@pytest.mark.parametrize(
    ("entry", "told_what"),
    [
        ({"name": "Bad Name"}, "name of its own"),
        ({"name": "x", "title": "t", "text": "w"}, "add reviewed_by, reviewed_on"),
        ({"name": "x", "title": "t", "text": "{child}", "reviewed_by": "", "reviewed_on": ""}, "unknown"),
    ],
)
def test_a_malformed_reply_template_is_named(tmp_path, entry, told_what):
    file = tmp_path / "replies.yml"
    file.write_text(yaml.safe_dump({"templates": [entry]}))
    with pytest.raises(RepliesError, match=told_what):
        replies.load(file)


def test_what_leads_change_stands_over_the_file_and_loses_its_signature(core):
    def change(**more):
        with core.uow() as uow:
            now = next(
                (r for r in replies.replies(uow, removed=True) if r.id == more.get("id")), Reply("", "", "")
            )
            values = {"id": now.id, "title": now.title, "text": now.text, "active": True}
            replies.save(uow, Reply(**{**values, **more}), LEAD, core.now())
            uow.commit()
        with core.store.read() as uow:
            return {r.id: r for r in replies.replies(uow)}

    signed = change(id="hello", text="Hi.", reviewed_by="Jo Lee", reviewed_on="2027-01-15")["hello"]
    assert signed.text == "Hi." and signed.reviewed
    changed = change(id="hello", text="Hello.", reviewed_by="Jo Lee", reviewed_on="2027-01-15")["hello"]
    assert changed.text == "Hello." and not changed.reviewed
    assert "my_own" in change(id="", title="My own", text="Take your time.")
    assert "hello" not in change(id="hello", active=False)
    for bad in ({"text": "{child}"}, {"text": ""}, {"reviewed_by": "Jo"}, {"id": "made_up", "text": "x"}):
        with pytest.raises(BadTemplate):
            change(**{"id": "safe_now", "title": "t", **bad})


# The letter ---------------------------------------------------------------------------------------


def test_the_export_is_plain_json_with_what_was_written_and_no_internal_note(core, held):
    number = first_message(core, held)
    save(core, held, 0, **{f"q_{number}": "1", "protective": "=HYPERLINK(1) <b>nan</b>", "f_16A": "1"})
    with core.uow() as uow:
        notes.add(uow, uow.handover(held), WORKER, "secret remark", core.now())
        facts = letter.contents(uow, uow.handover(held), WORKER, core.now())
    made = json.dumps(facts)
    assert json.loads(made) == facts and facts["format"] == letter.FORMAT
    assert facts["record"]["protective"] == "=HYPERLINK(1) <b>nan</b>"
    assert facts["factors"] == [{"code": "16A", "meaning": "neglect"}]
    assert "secret remark" not in made


def words_of_pages(pdf: bytes) -> list[str]:
    """The text of each page, read back from the PDF as a reader would: by the letters its fonts name."""
    streams = [
        zlib.decompress(found) if found[:1] == b"x" else found
        for found in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)
    ]
    letters: list[dict[bytes, str]] = []
    for stream in streams:
        if b"begincmap" in stream:
            pairs = re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>\n", stream)
            letters.append(
                {bytes.fromhex(a.decode()): bytes.fromhex(b.decode()).decode("utf-16-be") for a, b in pairs}
            )
    unescaped = {b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t"}

    def read(line: bytes, font: dict[bytes, str]) -> str:
        raw = re.sub(rb"\\(.)", lambda m: unescaped.get(m[0], m[1]), line, flags=re.DOTALL)
        return "".join(font.get(raw[i : i + 2], "") for i in range(0, len(raw), 2))

    pages = []
    for stream in streams:
        if b" Tf" in stream or b" Tj" in stream:
            found = re.findall(rb"/F(\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", stream, re.DOTALL)
            font, said = 0, []
            for number, line in found:
                if number:
                    font = int(number) - 1
                else:
                    said.append(read(line, letters[font]))
            pages.append(" ".join(said))
    return pages


def test_the_pdf_says_what_was_typed_letter_by_letter():
    nasty = "**bold** <b>x</b> [link](javascript:1) {nb} =1+1 \N{DOUBLE DAGGER}\N{DOUBLE DAGGER}"
    rows = tuple(Row(f"{nasty} {n} na\u00efve \N{PILL}", "Their words", True) for n in range(60))
    made = letter_pdf(
        "Concern", ["From Sam"], [Block("Said", rows)], foot="ABC-123", page="Page {n} of {all}"
    )
    pages = words_of_pages(made)
    words = " ".join(" ".join(pages).split())
    assert "**bold** <b>x</b> [link](javascript:1) {nb} =1+1" in words
    assert "na\u00efve [pill]" in words
    assert len(pages) > 1
    assert " ".join(pages[0].split()).endswith(f"ABC-123 Page 1 of {len(pages)}")
    assert not any(re.search(r"Their words\s+ABC-123", page) for page in pages)
    assert all("ABC-123" in page for page in pages)
    assert b"/URI" not in made and b"/JavaScript" not in made


def test_letters_that_a_font_lacks_are_shown_as_missing_and_controls_left_out():
    known = set(map(ord, "abc \N{COMBINING ACUTE ACCENT}"))
    assert printable("a\u0915\x07\u202eb\nc", known) == "a\N{REPLACEMENT CHARACTER}b\nc"
    assert printable("\N{PILL}", known) == "[pill]"
