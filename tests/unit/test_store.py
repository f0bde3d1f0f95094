"""What is written down is sealed, found again, and kept short."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, SlotSet, UserUttered
from rasa.shared.core.slots import TextSlot
from rasa.shared.core.trackers import DialogueStateTracker

from bot.bootstrap import Core
from bot.store import tracker as tracker_module
from bot.store.encryption import CannotDecrypt, Cipher
from bot.store.rota_file import RotaFileError, load_rota
from bot.store.tracker import TURNS_BEFORE_CUT, TURNS_KEPT, SealedTrackerStore, shortened

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_the_newest_key_seals_and_every_key_opens() -> None:
    sealed = Cipher([OLD], "k" * 32).seal("hello \ud83d lone surrogate \x00")
    both = Cipher([NEW, OLD], "k" * 32)
    assert both.open(sealed) == "hello \ud83d lone surrogate \x00"
    assert Cipher([NEW], "k" * 32).open(both.reseal(sealed)) == both.open(sealed)
    with pytest.raises(CannotDecrypt):
        Cipher([NEW], "k" * 32).open(sealed)


def test_hashes_need_the_secret_and_keep_kinds_apart() -> None:
    one, other = Cipher([OLD], "k" * 32), Cipher([OLD], "x" * 32)
    assert one.find_hash("session", "a") == one.find_hash("session", "a")
    assert one.find_hash("session", "a") != one.find_hash("address", "a")
    assert one.slow_hash("code", "a") != other.slow_hash("code", "a")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no 'staff:'"),
        ("staff: [", "cannot be read"),
        ("staff: [{id: a}]", "has no 'area:'"),
        ("area: x\nstaff: [{id: a}]", "staff a: has no 'name:'"),
        ("area: x\nstaff: [{id: a, name: A, role: boss, job_title: t, email: e}]", "role 'boss'"),
        ("area: x\nstaff: [{id: a, name: A, role: lead, job_title: t, email: e, place: p}]", "place 'p'"),
        (
            "area: x\nstaff: [{id: a, name: A, role: lead, job_title: t, email: e, "
            "hours: [{days: [monday], from: '09:00', to: '10:00'}]}]",
            "day 'monday'",
        ),
        (
            "area: x\nstaff: [{id: a, name: A, role: lead, job_title: t, email: e, "
            "hours: [{days: all, from: 9 o clock, to: '10:00'}]}]",
            "from must be a time",
        ),
    ],
)
def test_a_mistake_in_a_rota_file_changes_nothing_and_is_named(core: Core, tmp_path, text, told) -> None:
    path = tmp_path / "rota.yml"
    path.write_text(text)
    with core.store.read() as uow:
        before = [person.id for person in uow.staff()]
    with core.uow() as uow, pytest.raises(RotaFileError, match=told):
        load_rota(uow, path)
    with core.store.read() as uow:
        assert [person.id for person in uow.staff()] == before


def long_tracker(turns: int) -> DialogueStateTracker:
    tracker = DialogueStateTracker("c", [TextSlot("name", mappings=[{}]), TextSlot("requested_slot", [{}])])
    tracker.update(SlotSet("name", "kept"))
    for turn in range(turns):
        tracker.update(ActionExecuted("action_listen"))
        tracker.update(UserUttered(f"message {turn}", {"name": "greet"}))
        tracker.update(ActionExecuted("utter_greet"))
    return tracker


def test_a_long_conversation_is_cut_and_its_slots_are_not() -> None:
    short = shortened(long_tracker(TURNS_BEFORE_CUT + 1))
    texts = [event.text for event in short.events if isinstance(event, UserUttered)]
    assert len(texts) == TURNS_KEPT and texts[-1] == f"message {TURNS_BEFORE_CUT}"
    assert short.get_slot("name") == "kept"
    whole = long_tracker(TURNS_BEFORE_CUT)
    assert shortened(whole) is whole


def test_an_open_form_is_still_open_after_the_cut() -> None:
    tracker = long_tracker(3)
    tracker.update(ActiveLoop("early_help_form"))
    for turn in range(TURNS_BEFORE_CUT):
        tracker.update(ActionExecuted("action_listen"))
        tracker.update(UserUttered(f"later {turn}", {"name": "greet"}))
        tracker.update(ActionExecuted("early_help_form"))
    assert shortened(tracker).active_loop_name == "early_help_form"


async def test_what_rasa_remembers_is_sealed_and_can_be_forgotten(core: Core, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tracker_module, "core", lambda: core)
    store = SealedTrackerStore(Domain.empty())
    tracker = DialogueStateTracker("c" * 32, [])
    tracker.update(UserUttered("plum-marker-phrase", {"name": "greet"}))
    await store.save(tracker)
    again = await store.retrieve("c" * 32)
    assert [e.text for e in again.events if isinstance(e, UserUttered)] == ["plum-marker-phrase"]
    assert list(await store.keys()) == ["c" * 32]
    assert b"plum-marker" not in b"".join(path.read_bytes() for path in tmp_path.glob("earshot.db*"))
    with core.uow() as uow:
        uow.forget_dialogue("c" * 32)
        uow.commit()
    assert await store.retrieve("c" * 32) is None
