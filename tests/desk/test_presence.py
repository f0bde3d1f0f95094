"""Who is looking at a case."""

from __future__ import annotations

from bot.desk.presence import KEPT, Presence


def test_somebody_who_is_not_heard_of_is_taken_to_have_left():
    now = [0.0]
    presence = Presence(clock=lambda: now[0])
    assert presence.seen(1, "priya")
    now[0] = KEPT - 1
    assert not presence.seen(1, "priya") and presence.others(1, "tom") == ["priya"]
    now[0] += KEPT + 1
    assert presence.others(1, "tom") == [] and presence.seen(1, "priya")


def test_cases_are_kept_apart_and_nobody_is_their_own_company():
    presence = Presence()
    presence.seen(1, "priya")
    assert presence.others(2, "tom") == [] and presence.others(1, "priya") == []
    presence.left(1, "priya")
    assert presence.others(1, "tom") == []
