"""How long things are kept, what is never deleted, and what is left to prove it by."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import yaml
from sqlalchemy import select

from bot.bootstrap import build_core
from bot.custody import purge as purging
from bot.custody.daily import FROM_HOUR, Daily
from bot.custody.hold import BadReason, NothingToHold, hold, lift
from bot.custody.retention import RetentionError, load_retention, retention
from bot.custody.tables import PurgeRun
from bot.handover import CONCERN_REPORT, DISCLOSURE, EARLY_HELP, MESSAGE
from bot.risk.taxonomy import Category, Level
from bot.settings import ROOT
from bot.store.audit import verify
from bot.store.models import AuditEntry, Conversation, DialogueState, Handover, Message
from tests.custody.conftest import MARKER, worry

FILE = ROOT / "data" / "retention.yml"


def days(kind: str, level: str = "none", *categories: str) -> int:
    return retention().rule_for(kind, level, categories).days


def left(core) -> set[str]:
    with core.store.read() as uow:
        return set(uow.session.scalars(select(Conversation.id).where(Conversation.purged_at.is_(None))))


def entries(core, action: str) -> list[AuditEntry]:
    with core.store.read() as uow:
        return uow.session.scalars(select(AuditEntry).where(AuditEntry.action == action)).all()


# The rules ---------------------------------------------------------------------------------------


def test_the_rules_are_a_draft_that_nobody_signed_with_why_and_source_for_each() -> None:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert document["reviewed_by"] == document["reviewed_on"] == "" and not retention().signed
    assert all(rule["why"] and rule["source"] for rule in document["rules"])


def test_a_chat_that_no_person_was_asked_for_is_kept_much_shorter() -> None:
    cases = [
        days(kind, level.value)
        for kind in (DISCLOSURE, MESSAGE, EARLY_HELP, CONCERN_REPORT)
        for level in Level
    ]
    assert days("conversation", "immediate") * 4 < min(cases)
    assert days("conversation", "none") < days("conversation", "concern")


def test_the_longest_rule_that_fits_counts() -> None:
    assert days(DISCLOSURE, "high", "sexual_abuse", "school") > days(DISCLOSURE, "high", "school")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["rules"].pop(0), "conversation at none"),
        (lambda d: d["rules"][0].update(days=0), "chat_without_a_worry: days"),
        (lambda d: d["rules"][0].update(days=True), "chat_without_a_worry: days"),
        (lambda d: d["rules"][0].update(kinds=["chat"]), "kinds is a list"),
        (lambda d: d["rules"][0].pop("why"), "has no why"),
        (lambda d: d["rules"][0].update(dais=3), "nobody knows dais"),
        (lambda d: d["rules"][0].update(when_the_person_deletes="maybe"), "when_the_person_deletes"),
        (lambda d: d.pop("rules"), "holds no 'rules:'"),
    ],
)
def test_rules_that_cannot_be_used_are_named_and_delete_nothing(tmp_path, change, told) -> None:
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    change(document)
    path = tmp_path / "retention.yml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(RetentionError, match=told):
        load_retention(path)


# The purge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "finding", "rule"),
    [
        (None, None, "conversation"),
        (None, worry(Category.BULLYING, Level.CONCERN), "conversation"),
        (MESSAGE, None, MESSAGE),
        (EARLY_HELP, None, EARLY_HELP),
        (CONCERN_REPORT, None, CONCERN_REPORT),
        (DISCLOSURE, worry(), DISCLOSURE),
        (DISCLOSURE, worry(Category.SEXUAL_ABUSE), DISCLOSURE),
    ],
)
def test_each_kind_goes_on_its_day_and_not_before(core, talk, everything, kind, finding, rule) -> None:
    level = finding.level.value if finding else "none"
    categories = [c.value for c in finding.categories] if finding else []
    limit = days(rule, level, *categories)
    told = talk(limit, kind=kind, finding=finding)
    assert purging.purge(core, core.now() - timedelta(hours=1)).conversations == 0
    assert MARKER in everything()
    report = purging.purge(core, core.now() + timedelta(hours=1))
    assert (report.conversations, report.cases) == (1, 1 if kind else 0)
    assert MARKER not in everything() and told.code not in everything()
    with core.store.read() as uow:
        row, case = uow.conversation(told.id), uow.handover(told.case) if told.case else None
        assert (row is None) if kind is None else (row.purged_at and row.code_hash is None)
        assert uow.session.scalars(select(Message)).all() == []
        assert uow.session.scalars(select(DialogueState)).all() == []
        if case:
            assert (case.reference, case.kind, case.state) == (case.reference, kind, "closed")
            assert case.evidence is case.details is case.outcome is None and case.categories == []


def test_an_open_case_is_never_deleted_however_old(core, talk, everything) -> None:
    told = talk(40_000, kind=DISCLOSURE, open_case=True)
    assert list(purging.due(core, core.now())) == []
    assert purging.purge(core, core.now()).conversations == 0
    assert left(core) == {told.id} and MARKER in everything()


def test_a_held_case_is_never_deleted_until_the_hold_is_lifted(core, talk) -> None:
    told = talk(40_000, kind=DISCLOSURE)
    with core.uow() as uow:
        hold(uow, uow.handover(told.case), "lena", f"court {MARKER}", core.now())
        uow.commit()
    (found,) = purging.due(core, core.now())
    report = purging.purge(core, core.now())
    assert found.held and (report.conversations, report.kept_by_hold) == (0, 1) and left(core) == {told.id}
    with core.uow() as uow:
        lift(uow, uow.handover(told.case), "lena", core.now())
        uow.commit()
    assert purging.purge(core, core.now()).conversations == 1
    assert [e.action for e in (*entries(core, "held"), *entries(core, "hold_lifted"))] == [
        "held",
        "hold_lifted",
    ]
    assert MARKER not in "".join(str(e.detail) for e in entries(core, "held"))


def test_a_hold_needs_a_reason_and_something_to_hold(core, talk) -> None:
    told = talk(40_000, kind=MESSAGE)
    with core.uow() as uow:
        for reason in (" ", "x" * 501):
            with pytest.raises(BadReason):
                hold(uow, uow.handover(told.case), "lena", reason, core.now())
    purging.purge(core, core.now())
    with core.uow() as uow, pytest.raises(NothingToHold):
        hold(uow, uow.handover(told.case), "lena", "court", core.now())


def test_the_last_word_counts_not_the_first(core, talk) -> None:
    told = talk(days(MESSAGE) + 5, kind=MESSAGE)
    with core.uow() as uow:
        uow.conversation(told.id, lock=True).last_at = core.now()
        uow.commit()
    assert purging.purge(core, core.now()).conversations == 0


def test_purging_twice_does_nothing_twice(core, talk) -> None:
    talk(40_000, kind=MESSAGE)
    talk(40_000)
    first = purging.purge(core, core.now())
    again = purging.purge(core, core.now())
    assert first.conversations == 2 and first.rows["message"] > 2
    assert (again.conversations, dict(again.rows)) == (0, {})


def test_a_purge_that_was_broken_off_goes_on(core, talk) -> None:
    for _ in range(4):
        talk(40_000)

    class Killed(Exception):
        pass

    seen: list[int] = []

    def dies() -> None:
        seen.append(1)
        if len(seen) == 2:
            raise Killed

    with pytest.raises(Killed):
        purging.purge(core, core.now(), "clock", dies)
    assert len(left(core)) == 2 and len(entries(core, "purged")) == 2
    assert purging.purge(core, core.now()).conversations == 2 and left(core) == set()


def test_what_was_deleted_can_be_proved_and_says_nothing(core, talk, raw) -> None:
    told = talk(40_000, kind=MESSAGE)
    before = {name: len(values) for name, values in raw().items()}
    done = purging.run_by_hand(core, core.now())
    (entry,) = entries(core, "purged")
    assert (entry.conversation_id, entry.handover_id) == (told.id, told.case)
    assert entry.detail["rule"] == "message_passed_on" and entry.detail["sha256"] == done.digests[told.id]
    assert entry.detail["rows"]["message"] == before["message.text"]
    (run,) = entries(core, "purge_run")
    assert run.detail["sha256"] == done.digest == done.to_dict()["sha256_of_all"]
    with core.store.read() as uow:
        row = uow.session.scalars(select(PurgeRun)).one()
        assert (row.actor, row.conversations, row.digest) == ("operator", 1, done.digest) and row.finished_at
        assert verify(uow.session, core.store.cipher).whole
    assert MARKER not in str(done.to_dict()) + str(entry.detail)


def test_what_the_bot_remembered_too_late_goes_with_the_next_purge(core, talk) -> None:
    told = talk(40_000)
    purging.purge(core, core.now())
    with core.uow() as uow:
        uow.add(DialogueState(sender_id=told.id, body=MARKER, updated_at=core.now()))
        uow.commit()
    alive = talk()
    assert purging.purge(core, core.now()).rows == {"dialogue_state": 1}
    with core.store.read() as uow:
        assert uow.session.scalars(select(DialogueState.sender_id)).all() == [alive.id]


# The clock ---------------------------------------------------------------------------------------


def at_hour(core, hour: int, plus_days: int = 0):
    """The core, at this UTC hour of a winter's day."""
    day = core.now().replace(year=2027, month=1, day=10, hour=hour, minute=0) + timedelta(days=plus_days)
    object.__setattr__(core, "now", lambda: day)
    return core


def test_the_clock_purges_once_a_night_and_not_before(core, talk) -> None:
    talk(40_000)
    assert Daily(at_hour(core, FROM_HOUR - 1)).look() is None
    assert Daily(at_hour(core, FROM_HOUR)).look().conversations == 1
    assert Daily(at_hour(core, FROM_HOUR + 5)).look() is None
    talk(40_000)
    assert Daily(at_hour(core, FROM_HOUR, plus_days=1)).look().conversations == 1


def test_a_gateway_that_died_while_purging_is_followed_by_another(core, talk, monkeypatch) -> None:
    talk(40_000)
    talk(40_000)
    house = at_hour(core, FROM_HOUR)
    real = purging._purge_one

    def dies(*arguments) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(purging, "_purge_one", dies)
    with pytest.raises(KeyboardInterrupt):
        Daily(house).look()
    monkeypatch.setattr(purging, "_purge_one", real)
    assert Daily(house).look() is None, "the claim of the dead one still stands"
    later = house.now() + purging.CLAIM
    object.__setattr__(house, "now", lambda: later)
    assert Daily(house).look().conversations == 1 and left(core) == set()
    with core.store.read() as uow:
        assert len(uow.session.scalars(select(PurgeRun)).all()) == 1


def test_of_two_gateways_at_once_one_purges(core, talk) -> None:
    for _ in range(6):
        talk(40_000)
    houses = [at_hour(build_core(core.settings), FROM_HOUR) for _ in range(2)]
    done: list[object] = []

    def run(house) -> None:
        done.append(Daily(house).look())

    threads = [threading.Thread(target=run, args=(house,)) for house in houses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.conversations for one in done if one] == [6] and len(entries(core, "purged")) == 6
    for house in houses:
        house.store.engine.dispose()


def test_a_purged_case_keeps_its_reference_and_where_it_was(core, talk) -> None:
    with core.store.read() as uow:
        place = uow.places()[0]
    told = talk(40_000, kind=MESSAGE, place=place.id)
    purging.purge(core, core.now())
    with core.store.read() as uow:
        case = uow.session.scalars(select(Handover)).one()
        row = uow.conversation(told.id)
        assert case.area == place.area and row.place_id is None and row.safe_adult_id is None
