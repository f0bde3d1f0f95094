"""Signing in to the desk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine

from bot.desk import sign_in
from bot.desk.attempts import Attempts
from bot.desk.passwords import WeakPassword, check_password, hash_password, verify_password
from tests.desk.world import PASSWORD, World, email


def test_a_right_password_opens_the_desk(world):
    browser = world.browser()
    answer = browser.post("/desk/sign-in", email=f" {email('priya').upper()} ", password=PASSWORD)
    assert answer.status_code == 303 and answer.headers["location"] == "/desk/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/desk" in cookie
    assert "Secure" not in cookie  # a demo on loopback; production insists on secure_cookies
    page = browser.get("/desk/")
    assert page.status_code == 200 and "Priya Nandakumar" in page.text


def test_an_unknown_person_and_a_wrong_password_get_the_same_answer(world, no_delay):
    wrong = world.browser().post("/desk/sign-in", email=email("priya"), password="not the password")
    unknown = world.browser().post("/desk/sign-in", email="nobody@desk.example", password="not the password")
    assert wrong.status_code == unknown.status_code == 401
    same = wrong.text.replace(email("priya"), "") == unknown.text.replace("nobody@desk.example", "")
    assert same and "do not fit together" in wrong.text


def test_an_unknown_person_costs_as_much_work_as_a_known_one(monkeypatch, world, no_delay):
    hashes = []
    real = sign_in.verify_password
    monkeypatch.setattr(sign_in, "verify_password", lambda *a: (hashes.append(a[0]), real(*a))[1])
    world.browser().post("/desk/sign-in", email="nobody@desk.example", password="x" * 20)
    assert hashes == [None]
    assert verify_password(None, "nobody has this password") is False


def test_repeated_failures_slow_down_and_then_lock_the_account(world, no_delay):
    browser = world.browser()
    answers = [
        browser.post("/desk/sign-in", email=email("tom"), password=f"wrong number {n}").status_code
        for n in range(6)
    ]
    assert answers == [401] * 5 + [429]
    assert no_delay == sorted(no_delay) and no_delay[0] == 0 and no_delay[-1] > 1
    right = browser.post("/desk/sign-in", email=email("tom"), password=PASSWORD)
    assert right.status_code == 429 and "too many tries" in right.text
    other = world.browser().post("/desk/sign-in", email=email("priya"), password=PASSWORD)
    assert other.status_code == 303


def test_a_locked_account_can_still_use_a_link(world, no_delay):
    browser = world.browser()
    for n in range(6):
        browser.post("/desk/sign-in", email=email("tom"), password=f"wrong number {n}")
    assert browser.post("/desk/sign-in/link", token=world.link("tom")).status_code == 303


def test_failures_over_all_accounts_lock_passwords_for_a_while(world):
    attempts = Attempts(world.core)
    for n in range(100):
        assert attempts.begin(f"account {n}") == 0
    assert attempts.begin("somebody else") is None


def test_a_restart_forgets_no_failure(world):
    for n in range(5):
        assert Attempts(world.core).begin("an account") == (0 if n == 0 else 0.2 * 2 ** (n - 1))
    again = World(world.core)
    assert again.app.routes[0].app.state.desk.attempts.begin("an account") is None


def test_a_locked_account_opens_again_after_its_time(world):
    with time_machine.travel(world.core.now(), tick=False) as clock:
        for _ in range(5):
            Attempts(world.core).begin("an account")
        assert Attempts(world.core).begin("an account") is None
        clock.shift(timedelta(minutes=16))
        assert Attempts(world.core).begin("an account") == 0


def test_guesses_at_once_count_as_many(world):
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: Attempts(world.core).begin("an account"), range(12)))
    assert len([wait for wait in begun if wait is not None]) == 5


def test_a_link_works_once_and_not_when_it_is_old(world):
    token = world.link("priya")
    page = world.browser().get(f"/desk/sign-in?token={token}")
    assert page.status_code == 200 and "works once" in page.text  # looking at it does not use it up
    assert world.browser().post("/desk/sign-in/link", token=token).status_code == 303
    again = world.browser().post("/desk/sign-in/link", token=token)
    assert again.status_code == 401 and "used already" in again.text
    old = world.link("priya", hours=1, now=world.core.now() - timedelta(hours=2))
    assert world.browser().post("/desk/sign-in/link", token=old).status_code == 401
    assert world.browser().post("/desk/sign-in/link", token="made up").status_code == 401


def test_a_link_is_no_session_and_a_session_is_no_link(world):
    token = world.link("priya")
    browser = world.browser()
    browser.client.cookies.set("earshot_desk", token, path="/desk")
    assert browser.get("/desk/").status_code == 303
    signed_in = world.at_desk("priya")
    session = signed_in.client.cookies["earshot_desk"]
    assert world.browser().post("/desk/sign-in/link", token=session).status_code == 401


def test_the_database_holds_no_token_and_no_password(world, tmp_path):
    token = world.link("priya")
    session = world.at_desk("tom").client.cookies["earshot_desk"]
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("desk.db*"))
    for secret in (token, session, PASSWORD):
        assert secret.encode() not in stored


def test_signing_out_ends_the_session_on_the_server(world):
    browser = world.at_desk("priya")
    session = browser.client.cookies["earshot_desk"]
    assert browser.post("/desk/sign-out").status_code == 303
    stolen = world.browser()
    stolen.client.cookies.set("earshot_desk", session, path="/desk")
    assert stolen.get("/desk/").status_code == 303


def test_a_session_ends_when_somebody_leaves(world):
    browser = world.at_desk("priya")
    with world.core.uow() as uow:
        uow.staff_member("priya").active = False
        uow.commit()
    assert browser.get("/desk/").headers["location"] == "/desk/sign-in"


def test_a_session_ends_after_its_hours_however_busy(world):
    with time_machine.travel(world.core.now(), tick=False) as clock:
        browser = world.at_desk("tom")
        for _ in range(14):
            clock.shift(timedelta(minutes=50))
            assert browser.get("/desk/").status_code == 200
        clock.shift(timedelta(minutes=30))
        assert browser.get("/desk/").status_code == 303


def test_a_session_that_lies_idle_ends_and_a_page_that_refreshes_itself_is_idle(world):
    with time_machine.travel(world.core.now(), tick=False) as clock:
        browser = world.at_desk("tom")
        for _ in range(3):
            clock.shift(timedelta(minutes=25))
            answer = browser.get("/desk/queue", **{"x-fragment": "1", "accept": "*/*"})
        assert answer.status_code == 401
        used = world.at_desk("tom")
        for _ in range(3):
            clock.shift(timedelta(minutes=25))
            assert used.get("/desk/").status_code == 200


def test_one_person_has_only_so_many_sessions_and_the_oldest_ends(world):
    with time_machine.travel(world.core.now(), tick=False) as clock:
        browsers = []
        for _ in range(world.core.settings.staff_sessions + 1):
            browsers.append(world.at_desk("tom"))
            clock.shift(timedelta(seconds=2))
        assert [b.get("/desk/").status_code for b in browsers] == [303] + [200] * (len(browsers) - 1)


def test_a_new_password_signs_out_everywhere(world):
    browser = world.at_desk("priya")
    with world.core.uow() as uow:
        sign_in.set_password(uow, uow.staff_member("priya"), "four green lanterns")
        uow.commit()
    assert browser.get("/desk/").status_code == 303
    answer = world.browser().post("/desk/sign-in", email=email("priya"), password="four green lanterns")
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short words", "at least 12"),
        ("Password 1234", "commonest"),
        ("ababababababab", "repeats"),
        ("nandakumar forever", "name"),
        ("x" * 201, "at most"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(password, why):
    with pytest.raises(WeakPassword, match=why):
        check_password(password, "Priya Nandakumar", email("priya"))


def test_a_good_password_is_kept_as_argon2id():
    check_password(PASSWORD, "Priya Nandakumar", email("priya"))
    stored = hash_password(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, PASSWORD) and not verify_password(stored, PASSWORD + " ")


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/desk/cases/4", True),
        ("//evil.example/desk/", False),
        ("https://evil.example", False),
        ("/desk//evil.example", False),
        ("/desk/\\evil", False),
        ("/desk/sign-in?token=x", False),
        (None, False),
    ],
)
def test_after_signing_in_only_a_page_of_the_desk_is_opened(target, kept):
    assert sign_in.safe_next(target) == (target if kept else "/desk/")


def test_a_link_to_a_case_leads_there_after_signing_in(world):
    case = world.case()
    first = world.browser().get(f"/desk/cases/{case}")
    assert first.headers["location"] == f"/desk/sign-in?next=/desk/cases/{case}"
    form = world.browser().get(first.headers["location"])
    assert f'name="next" value="/desk/cases/{case}"' in form.text
