"""While somebody begins conversations by the thousand, everybody else still gets in."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from limits import parse
from playwright.sync_api import expect

from bot.bootstrap import Core
from bot.gateway import limits as limits_module
from bot.gateway.app import create_app
from bot.gateway.limits import RATES, Limits
from bot.gateway.newcomers import BITS, GOOD_FOR, Admission, Newcomers
from tests.attacks.driver import Answer, Driver
from tests.conftest import ScriptedDialogue
from tests.standins.browser import chromium
from tests.standins.served import served


def under_attack(core: Core, **changed: object) -> Core:
    return type(core)(core.settings.copy(update={"new_chats": 2, **changed}), core.content, core.store)


@pytest.fixture
def driver(core: Core, dialogue: ScriptedDialogue) -> Iterator[Driver]:
    """A gateway on which two conversations were just begun: more would be an attack."""
    one = Driver(create_app(under_attack(core), dialogue))
    for number in range(2):
        one.address = f"198.51.100.{number}"
        assert begins(one).status == 201
    one.address = "203.0.113.7"
    yield one
    one.close()


def begins(driver: Driver, **body: object) -> Answer:
    return driver("POST", "/api/conversations", {}, json.dumps(body).encode())


def solved(challenge: str, bits: int = BITS) -> str:
    number = 0
    while True:
        proof = f"{challenge}:{number}"
        if int.from_bytes(hashlib.sha256(proof.encode()).digest(), "big") >> (256 - bits) == 0:
            return proof
        number += 1


def test_in_quiet_times_nobody_is_asked_for_anything(core, dialogue):
    quiet = Driver(create_app(core, dialogue))
    try:
        assert [begins(quiet).status for _ in range(10)] == [201] * 10
    finally:
        quiet.close()


def test_under_attack_a_challenge_is_asked_and_its_answer_lets_in_once(driver):
    asked = begins(driver, speaker="me")
    problem = json.loads(asked.body)
    assert asked.status == 428 and problem["bits"] == BITS and "999" in problem["emergency"]
    proof = solved(problem["challenge"])
    assert begins(driver, proof=proof).status == 201
    assert begins(driver, proof=proof).status == 428


@pytest.mark.parametrize(
    "proof", ["", "x", "1:2", "9999999999." + "0" * 32 + "." + "0" * 64 + ":1", "\ud83d", "é"]
)
def test_what_is_no_answer_to_our_challenge_lets_nobody_in(driver, proof):
    assert begins(driver, proof=proof).status == 428


def test_a_number_that_was_not_worked_for_lets_nobody_in(driver):
    challenge = json.loads(begins(driver).body)["challenge"]
    right = int(solved(challenge).rpartition(":")[2])
    assert begins(driver, proof=f"{challenge}:{right + 1}").status == 428


async def test_a_challenge_is_good_for_a_few_minutes(core, monkeypatch):
    newcomers = Newcomers(core, Limits(core))
    proof = solved(newcomers._challenge())
    now = core.now()
    monkeypatch.setattr(type(core), "now", lambda _self: now + timedelta(seconds=GOOD_FOR + 2))
    assert not newcomers._solved(proof)


def test_one_address_that_begins_without_end_is_challenged_and_another_is_not(core, dialogue, monkeypatch):
    monkeypatch.setitem(RATES, "begins", parse("2/minute"))
    driver = Driver(create_app(core, dialogue))
    try:
        assert [begins(driver).status for _ in range(3)] == [201, 201, 428]
        driver.address = "203.0.113.8"
        assert begins(driver).status == 201
    finally:
        driver.close()


def test_whoever_cannot_work_waits_a_moment_and_is_let_in(driver, monkeypatch):
    held: list[str] = []

    async def hold(_self: Limits, caller: str) -> None:
        held.append(caller)

    monkeypatch.setattr(Limits, "hold", hold)
    assert begins(driver, proof="wait").status == 201 and len(held) == 1
    # The page without scripts: a door, and a first message.
    assert driver.form("/start", speaker="me", client_id="a").status == 303 and len(held) == 2
    assert driver.form("/say", text="hello there", client_id="b").status == 303 and len(held) == 3


def test_who_presses_again_while_waiting_waits_once_and_begins_one_chat(driver, monkeypatch):
    import asyncio

    monkeypatch.setattr(limits_module, "HOLD", 0.5)
    kind = {"content-type": "application/x-www-form-urlencoded"}

    async def twice() -> list[Answer]:
        return await asyncio.gather(
            *(driver.request("POST", "/start", kind, b"speaker=me&client_id=same") for _ in range(2))
        )

    first, second = driver.loop.run_until_complete(twice())
    assert first.status == second.status == 303 and first.set_cookies == second.set_cookies


def test_a_chat_that_stands_goes_on_under_attack_with_all_it_needs(core, dialogue):
    driver = Driver(create_app(under_attack(core, new_chats=1), dialogue))
    try:
        begun = begins(driver)
        driver.cookies["earshot"] = begun.set_cookies[0].split(";")[0].partition("=")[2]
        driver_code = json.loads(begun.body)["return_code"]
        for number in range(30):
            driver.address = f"198.51.100.{number}"
            driver.cookies, kept = {}, driver.cookies
            assert begins(driver).status == 428
            driver.cookies = kept
        body = json.dumps({"client_id": "m", "text": "my stepdad hits me"}).encode()
        assert driver("POST", "/api/messages", {}, body).status == 202
        assert driver("GET", "/api/transcript").status == 200 and driver("GET", "/api/events").status == 200
        page = driver("GET", "/")
        assert page.status == 200 and re.search(r"999", page.text)
        assert driver("POST", "/api/resume", {}, json.dumps({"code": driver_code}).encode()).status == 200
    finally:
        driver.close()


async def test_the_setting_switches_it_on_for_all_or_off(core):
    off = Newcomers(under_attack(core, proof_of_work="never", new_chats=1), Limits(core))
    for _ in range(5):
        await off.admit(Admission("a", None))
    on = Newcomers(under_attack(core, proof_of_work="always", new_chats=1_000), Limits(core))
    with pytest.raises(Exception, match="problem_proof"):
        await on.admit(Admission("a", None))


def test_the_chat_page_does_the_work_by_itself(core, dialogue, monkeypatch):
    monkeypatch.setattr(limits_module, "HOLD", 600.0)  # whoever waits instead does not get in
    house = under_attack(core, proof_of_work="always")
    with served(create_app(house, dialogue)) as url, chromium() as browser:
        page = browser.new_page()
        answers: list[int] = []
        page.on(
            "response", lambda r: answers.append(r.status) if r.url.endswith("/api/conversations") else None
        )
        page.goto(url)
        page.locator("#text").fill("hello there")
        page.locator("#text").press("Enter")
        expect(page.get_by_text("Tell me more.")).to_be_visible(timeout=60_000)
        assert answers == [428, 201]
