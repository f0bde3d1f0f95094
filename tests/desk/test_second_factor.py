"""The second factor, invitations, and one's own account."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest
import time_machine

from bot.desk.second_factor import step_of
from tests.desk.world import PASSWORD, Browser, World, email, make_core

NEW = "four green lanterns"


@pytest.fixture
def production(tmp_path) -> World:
    made = World(make_core(tmp_path, mode="production"))
    made.hire()
    return made


def with_password(world: World, staff_id: str) -> Browser:
    """A browser in which the right password was given, and nothing else yet."""
    browser = world.browser()
    answer = browser.post("/desk/sign-in", email=email(staff_id), password=PASSWORD)
    assert answer.status_code == 303
    return browser


def code(secret: str, world: World, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(world.core.now(), counter_offset=steps)


def secret_on(page: str) -> str:
    return re.search(r'class="key">([A-Z2-7 ]+)<', page)[1].replace(" ", "")


def codes_on(page: str) -> list[str]:
    return re.findall(r"<li>([a-z0-9]{5}-[a-z0-9]{5})</li>", page)


def set_up(world: World, browser: Browser) -> tuple[str, list[str]]:
    """Set the second factor up; gives secret and recovery codes."""
    secret = secret_on(browser.get("/desk/second-factor/set-up").text)
    answer = browser.post("/desk/second-factor/set-up", code=code(secret, world))
    assert answer.status_code == 200, answer.text
    return secret, codes_on(answer.text)


def test_in_production_a_password_alone_opens_nothing(production, no_delay):
    case = production.case()
    browser = with_password(production, "priya")
    for path in ("/desk/", f"/desk/cases/{case}", "/desk/account"):
        assert browser.get(path).headers["location"].startswith("/desk/second-factor")
    assert browser.post(f"/desk/cases/{case}/accept").status_code == 401
    assert browser.get("/desk/second-factor").headers["location"] == "/desk/second-factor/set-up"
    assert production.handover(case).state == "waiting"


def test_a_link_does_not_go_round_the_second_factor(production):
    browser = production.at_desk("priya")
    assert browser.get("/desk/").headers["location"].startswith("/desk/second-factor")


def test_once_it_is_set_up_the_desk_opens_and_the_codes_are_shown_once(production, no_delay):
    browser = with_password(production, "priya")
    before = browser.client.cookies["earshot_desk"]
    page = browser.get("/desk/second-factor/set-up")
    assert 'src="data:image/svg+xml' in page.text and " style=" not in page.text
    _, codes = set_up(production, browser)
    assert len(set(codes)) == 10
    assert browser.get("/desk/").status_code == 200
    assert browser.client.cookies["earshot_desk"] != before  # the half-way token is worth nothing now
    assert codes[0] not in browser.get("/desk/account").text
    assert ("priya", "second_factor_set_up", "priya") in production.log()


def test_whoever_has_only_the_password_cannot_set_up_a_factor_of_their_own(production, no_delay):
    production.has_factor("priya")
    thief = with_password(production, "priya")
    assert thief.get("/desk/second-factor/set-up").headers["location"] == "/desk/second-factor"
    assert (
        thief.post("/desk/second-factor/set-up", code="123456").headers["location"] == "/desk/second-factor"
    )
    assert thief.get("/desk/").status_code == 303


def test_the_right_code_opens_the_desk_and_works_once(world, no_delay):
    secret = world.has_factor("priya")
    with time_machine.travel(world.core.now(), tick=False):
        now = code(secret, world)
        browser = with_password(world, "priya")
        answer = browser.post("/desk/second-factor", code=f"{now[:3]} {now[3:]}", next="/desk/account")
        assert answer.headers["location"] == "/desk/account"
        assert browser.get("/desk/account").status_code == 200
        again = with_password(world, "priya").post("/desk/second-factor", code=now)
        assert again.status_code == 401 and "used already" in again.text


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_wrong_and_no_more(world, steps, taken):
    secret, now = pyotp.random_base32(), world.core.now()
    given = pyotp.TOTP(secret).at(now, counter_offset=steps)
    assert (step_of(secret, given, now, None) is not None) is taken


def test_guessing_codes_is_locked_and_the_password_does_not_start_it_afresh(world, no_delay):
    secret = world.has_factor("priya")
    browser = with_password(world, "priya")
    answers = [browser.post("/desk/second-factor", code="000000").status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]
    fresh = with_password(world, "priya")
    assert fresh.post("/desk/second-factor", code=code(secret, world)).status_code == 429
    assert ("nobody", "second_factor_failed", "priya") in world.log()


def test_a_recovery_code_works_once_and_is_stored_hashed(production, no_delay, tmp_path):
    _, codes = set_up(production, with_password(production, "priya"))
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("desk.db*"))
    assert codes[0].encode() not in stored and codes[0].replace("-", "").encode() not in stored
    browser = with_password(production, "priya")
    assert browser.post("/desk/second-factor", code=codes[0].upper()).status_code == 303
    assert "9 recovery codes left" in browser.get("/desk/account").text
    assert with_password(production, "priya").post("/desk/second-factor", code=codes[0]).status_code == 401
    # Somebody else's code is nobody's.
    production.has_factor("tom")
    assert with_password(production, "tom").post("/desk/second-factor", code=codes[1]).status_code == 401


def test_new_recovery_codes_need_the_app_and_end_the_old_ones(world, no_delay):
    browser = with_password(world, "priya")
    secret, old = set_up(world, browser)
    assert browser.post("/desk/account/recovery-codes", code="000000").status_code == 422
    with time_machine.travel(world.core.now() + timedelta(seconds=30), tick=False):
        new = codes_on(browser.post("/desk/account/recovery-codes", code=code(secret, world)).text)
        assert len(new) == 10 and not set(new) & set(old)
        assert with_password(world, "priya").post("/desk/second-factor", code=old[0]).status_code == 401
        assert with_password(world, "priya").post("/desk/second-factor", code=new[0]).status_code == 303


def test_the_question_for_the_code_waits_a_quarter_of_an_hour_and_no_longer(world, no_delay):
    secret = world.has_factor("priya")
    with time_machine.travel(world.core.now(), tick=False) as clock:
        browser = with_password(world, "priya")
        clock.shift(timedelta(minutes=16))
        late = browser.client.post("/desk/second-factor", data={"code": code(secret, world)})
        assert late.status_code == 401


# Invitations ---------------------------------------------------------------------------------------


def test_an_invitation_sets_a_password_once(world):
    token = world.invitation("noah")
    browser = world.browser()
    page = browser.get(f"/desk/invitation?token={token}")
    assert page.status_code == 200 and "Noah Quill" in page.text
    done = browser.post("/desk/invitation", token=token, password=NEW, again=NEW)
    assert done.headers["location"] == "/desk/" and browser.get("/desk/").status_code == 200
    assert world.browser().post("/desk/invitation", token=token, password=NEW, again=NEW).status_code == 401
    assert world.browser().post("/desk/sign-in", email=email("noah"), password=NEW).status_code == 303


@pytest.mark.parametrize(
    ("password", "again", "why"),
    [
        (NEW, NEW + "x", "not the same"),
        ("short", "short", "at least 12"),
        ("noah quill noah",) * 2 + ("name",),
    ],
)
def test_a_password_that_is_refused_leaves_the_invitation_good(world, password, again, why):
    token = world.invitation("noah")
    refused = world.browser().post("/desk/invitation", token=token, password=password, again=again)
    assert refused.status_code == 422 and why in refused.text
    assert world.browser().post("/desk/invitation", token=token, password=NEW, again=NEW).status_code == 303


def test_an_invitation_runs_out_is_replaced_by_a_newer_one_and_ends_with_the_person(world):
    first = world.invitation("noah")
    second = world.invitation("noah")
    assert world.browser().get(f"/desk/invitation?token={first}").status_code == 401
    assert world.browser().get(f"/desk/invitation?token={second}").status_code == 200
    with time_machine.travel(world.core.now() + timedelta(hours=73)):
        assert world.browser().get(f"/desk/invitation?token={second}").status_code == 401
    with world.core.uow() as uow:
        uow.staff_member("noah").active = False
        uow.commit()
    assert world.browser().post("/desk/invitation", token=second, password=NEW, again=NEW).status_code == 401


def test_an_invitation_signs_out_everywhere_and_unlocks(world, no_delay):
    elsewhere = world.at_desk("priya")
    for n in range(6):
        world.browser().post("/desk/sign-in", email=email("priya"), password=f"wrong number {n}")
    world.browser().post("/desk/invitation", token=world.invitation("priya"), password=NEW, again=NEW)
    assert elsewhere.get("/desk/").status_code == 303
    assert world.browser().post("/desk/sign-in", email=email("priya"), password=NEW).status_code == 303


@pytest.mark.parametrize("resets", [False, True])
def test_a_lost_phone_is_forgotten_only_when_the_lead_said_so_and_the_invitation_is_used(world, resets):
    secret = world.has_factor("priya")
    token = world.invitation("priya", resets_factor=resets)
    with world.core.store.read() as uow:
        assert uow.staff_member("priya").totp_secret == secret
    browser = world.browser()
    browser.post("/desk/invitation", token=token, password=NEW, again=NEW)
    with world.core.store.read() as uow:
        assert (uow.staff_member("priya").totp_secret is None) is resets
    assert (browser.get("/desk/").status_code == 200) is resets


# Account -------------------------------------------------------------------------------------------


def test_a_new_password_needs_the_old_one_and_keeps_only_this_browser(world, no_delay):
    browser, other = world.at_desk("priya"), world.at_desk("priya")
    wrong = browser.post("/desk/account/password", old="not it at all", password=NEW, again=NEW)
    assert wrong.status_code == 422 and "old password is not right" in wrong.text
    weak = browser.post("/desk/account/password", old=PASSWORD, password="short", again="short")
    assert weak.status_code == 422 and "at least 12" in weak.text
    done = browser.post("/desk/account/password", old=PASSWORD, password=NEW, again=NEW)
    assert done.status_code == 303 and browser.get("/desk/account?done=password").status_code == 200
    assert other.get("/desk/").status_code == 303
    assert ("priya", "password_set", "priya") in world.log()


def test_signing_out_everywhere_ends_every_session_and_gives_cases_back(world):
    case = world.case()
    here, there = world.at_desk("priya"), world.at_desk("priya")
    here.post(f"/desk/cases/{case}/accept")
    asked = here.post("/desk/account/sign-out-everywhere")
    assert asked.status_code == 409 and world.handover(case).reference in asked.text
    assert here.post("/desk/account/sign-out-everywhere", confirm="1").status_code == 303
    assert there.get("/desk/").status_code == 303
    assert world.handover(case).state == "waiting"
