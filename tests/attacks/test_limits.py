"""What keeps somebody from using up the house, or from using it against somebody. One test for each guard."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from argon2.low_level import Type
from limits import parse

from bot import codes
from bot.bootstrap import Core
from bot.gateway import limits as limits_module
from bot.gateway.app import create_app
from bot.gateway.guard import host_check
from bot.gateway.limits import RATES, STREAMS_BY_ONE, Limits
from bot.store import encryption
from tests.attacks.driver import Answer, Driver


def begins(driver: Driver, **body: object) -> Answer:
    return driver("POST", "/api/conversations", {}, json.dumps(body).encode())


def session(driver: Driver) -> str:
    """Begin a conversation and have its cookie; gives its return code."""
    begun = begins(driver)
    assert begun.status == 201
    driver.cookies["earshot"] = begun.set_cookies[0].split(";")[0].partition("=")[2]
    return json.loads(begun.body)["return_code"]


def says(driver: Driver, number: int) -> int:
    body = json.dumps({"client_id": f"m{number}", "text": "hello there"}).encode()
    return driver("POST", "/api/messages", {}, body).status


def tries(driver: Driver, code: str) -> int:
    return driver("POST", "/api/resume", {}, json.dumps({"code": code}).encode()).status


def production(core: Core, **more: object) -> Core:
    changed = {"mode": "production", "secure_cookies": True, "public_url": "https://chat.example.gov.uk"}
    return type(core)(core.settings.copy(update={**changed, **more}), core.content, core.store)


# Rates ----------------------------------------------------------------------------------------------


def test_one_conversation_is_slowed_and_another_from_the_same_address_is_not(gateway, monkeypatch):
    monkeypatch.setitem(RATES, "messages", parse("2/minute"))
    session(gateway)
    assert [says(gateway, n) for n in range(3)] == [202, 202, 429]
    session(gateway)
    assert says(gateway, 9) == 202


def test_a_caller_who_asks_without_end_is_refused_but_never_a_chat_or_the_numbers(gateway, monkeypatch):
    monkeypatch.setattr(limits_module, "REQUESTS", parse("6/minute"))
    session(gateway)
    assert [gateway("GET", "/oruk").status for _ in range(8)][-1] == 429
    page = gateway("GET", "/")
    assert page.status == 200 and "999" in page.text
    assert says(gateway, 1) == 202
    assert "999" in json.loads(gateway("GET", "/oruk").body)["emergency"]
    gateway.address = "203.0.113.8"
    assert gateway("GET", "/oruk").status == 200


def test_leaflets_as_files_are_made_only_so_often(gateway, monkeypatch):
    monkeypatch.setitem(RATES, "documents", parse("2/minute"))
    assert [gateway("GET", "/leaflet.pdf?s=x").status for _ in range(3)] == [404, 404, 429]


def test_an_address_is_known_by_a_hash_that_changes_every_hour(core):
    counted, moment = Limits(core), datetime(2026, 11, 22, 10, 59, 59, tzinfo=timezone.utc)
    later = moment + timedelta(seconds=1)
    clock = SimpleNamespace(settings=core.settings, store=core.store, now=lambda: moment)
    counted._core = clock
    before = counted.caller_at("203.0.113.7")
    assert before == counted.caller_at("203.0.113.7") and "203.0.113.7" not in before
    clock.now = lambda: later
    assert counted.caller_at("203.0.113.7") != before


def test_a_whole_household_of_ipv6_addresses_is_one_caller(core):
    counted = Limits(core)
    assert counted.caller_at("2001:db8:1:2::1") == counted.caller_at("2001:db8:1:2:ffff::9")
    assert counted.caller_at("2001:db8:1:2::1") != counted.caller_at("2001:db8:1:3::1")
    assert counted.caller_at("::ffff:203.0.113.7") == counted.caller_at("203.0.113.7")


def test_no_address_is_kept_in_memory_or_in_the_database(gateway, core, tmp_path):
    gateway.address = "198.51.100.123"
    counted: list[Limits] = []
    original = Limits.caller_at

    def caller_at(self: Limits, address: str) -> str:
        counted.append(self)
        return original(self, address)

    Limits.caller_at = caller_at  # type: ignore[method-assign]
    try:
        session(gateway)
        tries(gateway, "no such code")
        gateway("GET", "/api/areas?postcode=SO14")
    finally:
        Limits.caller_at = original  # type: ignore[method-assign]
    assert counted
    kept = repr([vars(one._storage) | vars(one._coarse) | {"held": one._held} for one in counted])
    assert "198.51.100" not in kept
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and b"198.51.100" in f.read_bytes()]


# Return codes ---------------------------------------------------------------------------------------


def test_a_return_code_is_at_least_fifty_bits(monkeypatch):
    assert codes.WORDS_IN_A_CODE * math.log2(len(codes._word_list())) >= 50
    words = [word for _ in range(50) for word in codes.new_code().split("-")]
    assert len(words) == 50 * codes.WORDS_IN_A_CODE and set(words) <= set(codes._word_list())


def test_a_return_code_is_hashed_slowly_and_with_memory(core, monkeypatch):
    asked = {}
    real = encryption.hash_secret_raw
    monkeypatch.setattr(encryption, "hash_secret_raw", lambda *a, **k: asked.update(k) or real(*a, **k))
    core.store.cipher.slow_hash("code", "one-two-three-four-five")
    # OWASP's password storage advice asks for 19 MiB and 2 passes at the least.
    assert asked["type"] is Type.ID and asked["memory_cost"] >= 19 * 1024 and asked["time_cost"] >= 2


def test_wrong_codes_are_counted_and_right_ones_are_not(gateway):
    code = session(gateway)
    # A class that comes back at once sits behind one address.
    assert [tries(gateway, code) for _ in range(7)] == [200] * 7
    assert [tries(gateway, f"no such code {n}") for n in range(6)] == [404] * 5 + [429]
    assert tries(gateway, code) == 429
    gateway.address = "203.0.113.8"
    assert tries(gateway, code) == 200


def test_when_very_many_guess_each_is_slowed_and_a_right_code_still_works(gateway, monkeypatch):
    monkeypatch.setitem(RATES, "codes_by_all", parse("2/minute"))
    held: list[str] = []

    async def hold(_self: Limits, caller: str) -> None:
        held.append(caller)

    monkeypatch.setattr(Limits, "hold", hold)
    code = session(gateway)
    for number in range(2):
        gateway.address = f"198.51.100.{number}"
        assert tries(gateway, "no such code") == 404 and not held
    gateway.address = "203.0.113.9"
    assert tries(gateway, code) == 200 and len(held) == 1


async def test_only_so_many_are_held_and_from_one_caller_fewer(core, monkeypatch):
    monkeypatch.setattr(limits_module, "HOLD", 0.2)
    monkeypatch.setattr(limits_module, "HELD_BY_ONE", 2)
    monkeypatch.setattr(limits_module, "HELD_AT_ONCE", 3)
    counted = Limits(core)
    asked = [counted.hold(caller) for caller in ("a", "a", "a", "b", "c")]
    came = await asyncio.gather(*asked, return_exceptions=True)
    assert [getattr(one, "status", 0) for one in came] == [0, 0, 429, 0, 429]
    assert not counted._held


# Size and shape -------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", ["length", "chunks"])
def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(gateway, told):
    body = b"x" * (600 * 1024)
    headers = {"transfer-encoding": "chunked"} if told == "chunks" else {}
    answer = gateway("POST", "/find", {"content-type": "application/x-www-form-urlencoded", **headers}, body)
    assert answer.status == 413 and "999" in json.loads(answer.body)["emergency"]


def test_a_length_that_says_too_much_is_refused_before_anything_is_read(gateway):
    assert gateway("POST", "/api/resume", {"content-length": "9" * 15}, b"").status == 413


def test_nothing_takes_files(gateway):
    form = b'--x\r\nContent-Disposition: form-data; name="q"; filename="a"\r\n\r\nhello\r\n--x--\r\n'
    for path in ("/find", "/say", "/api/messages", "/desk/sign-in"):
        answer = gateway("POST", path, {"content-type": "Multipart/Form-Data; boundary=x"}, form)
        assert answer.status == 415, path


# Where it comes from --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080.elsewhere.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_no_other_website_can_make_a_browser_change_anything(gateway, headers):
    session(gateway)
    for method, path in (
        ("POST", "/api/conversations"), ("POST", "/api/messages"), ("POST", "/api/resume"),
        ("POST", "/api/leave"), ("POST", "/api/typing"), ("DELETE", "/api/conversation"),
        ("POST", "/start"), ("POST", "/say"), ("POST", "/resume"), ("POST", "/delete"),
    ):  # fmt: skip
        assert gateway(method, path, headers, b"{}").status == 403, path


@pytest.mark.parametrize(
    ("host", "demo", "live"),
    [
        ("chat.example.gov.uk", True, True),
        ("CHAT.example.gov.uk:443", True, True),
        ("chat.example.gov.uk:8443", False, False),
        ("127.0.0.1:8080", True, False),
        ("[::1]:8080", True, False),
        ("localhost:9000", True, False),
        ("192.168.1.20:8080", True, False),
        ("evil.example", False, False),
        ("chat.example.gov.uk.evil.example", False, False),
        ("chat.example.gov.uk@evil.example", False, False),
        ("[::1", False, False),
        ("x:99999", False, False),
        ("", False, False),
    ],
)
def test_only_our_own_host_is_answered_for(core, host, demo, live):
    house = production(core).settings
    assert host_check(house)(host) is live
    assert host_check(house.copy(update={"mode": "demo"}))(host) is demo


def test_a_name_that_somebody_points_at_us_gets_no_page_but_probes_do(gateway):
    for path in ("/", "/api/conversations", "/desk/sign-in", "/static/chat.js"):
        answer = gateway("GET", path, {"host": "rebound.example"})
        assert answer.status == 421 and gateway._host in answer.text
    assert gateway("GET", "/healthz", {"host": "rebound.example"}).status == 200


# Headers --------------------------------------------------------------------------------------------


def test_every_answer_behind_tls_has_the_headers_and_is_kept_by_nobody(core, dialogue):
    driver = Driver(create_app(production(core), dialogue), host="chat.example.gov.uk")
    try:
        pages = "/ /find /openapi.json /static/chat.js /nothing /api/transcript /leave /desk/sign-in /healthz"
        asked = [("GET", path) for path in pages.split()]
        asked += [("POST", "/api/conversations"), ("POST", "/say"), ("PUT", "/"), ("POST", "/api/messages")]
        for method, path in asked:
            headers = driver(method, path, {"accept": "text/html"}).headers
            policy = dict(
                part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
            )
            assert policy["default-src"] == "'none'" and policy["frame-ancestors"], path
            assert "unsafe" not in repr(policy)
            if not path.startswith("/static/"):  # a file fetches nothing: nothing is allowed to it
                assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'", path
                assert policy["base-uri"] == "'none'"
            assert int(headers["strict-transport-security"].split("=")[1].split(";")[0]) >= 31_536_000, path
            assert headers["referrer-policy"] in ("no-referrer", "same-origin")
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] in ("no-store", "no-cache"), path
            assert "server" not in headers and "x-powered-by" not in headers
    finally:
        driver.close()


def test_the_cookie_is_for_our_own_pages_over_tls_and_for_no_script(core, dialogue):
    driver = Driver(create_app(production(core), dialogue), host="chat.example.gov.uk")
    try:
        for answer in (begins(driver), driver.form("/start", speaker="me", client_id="a")):
            (cookie,) = answer.set_cookies
            flags = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert {"httponly", "secure", "samesite=strict", "path=/"} <= flags
            assert not [flag for flag in flags if flag.startswith(("max-age", "expires", "domain"))]
    finally:
        driver.close()


# Streams --------------------------------------------------------------------------------------------


def test_of_too_many_streams_of_one_conversation_the_oldest_goes(gateway):
    session(gateway)
    cookie = {"cookie": f"earshot={gateway.cookies['earshot']}"}

    async def open_many() -> tuple[Answer, int]:
        running = []
        for _ in range(STREAMS_BY_ONE + 1):
            running.append(asyncio.create_task(gateway.request("GET", "/api/events", cookie, whole=True)))
            await asyncio.sleep(0.3)
        done, pending = await asyncio.wait(running, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        first, left = running[0], len(pending)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        assert done == {first}
        return first.result(), left

    ended, left = gateway.loop.run_until_complete(open_many())
    assert left == STREAMS_BY_ONE and "retry: 30000" in ended.text


def test_of_too_many_streams_in_all_the_oldest_goes(core, monkeypatch):
    monkeypatch.setattr(limits_module, "STREAMS_AT_ONCE", 3)
    streams, woken, places = Limits(core).streams, [], []
    entered = [streams.place(f"c{n}", lambda n=n: woken.append(n)) for n in range(4)]
    for context in entered:
        places.append(context.__enter__())
    assert woken == [0] and [place.ended for place in places] == [True, False, False, False]
    for context in entered:
        context.__exit__(None, None, None)
    assert len(streams) == 0
