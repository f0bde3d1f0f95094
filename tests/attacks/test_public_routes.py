"""Schemathesis against every public route, by the description that the gateway publishes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.transport import Response as Received

from bot.channels.openapi import description
from tests.attacks.driver import Answer, Driver, fuzz, no_fault, resident
from tests.attacks.nasty import EVERYTHING, texts, values

#: Examples that fit the description, and that do not, in one round over all operations.
FITTING, UNFITTING, RAW = 300, 300, 300
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(description()).get_all_operations()]
#: Schemathesis' other checks ask for stricter refusals than people need.
CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
]


def sent(driver: Driver, case: Any) -> tuple[Answer, requests.PreparedRequest]:
    """Send what schemathesis made up. The cookie is renewed where the last request gave it away."""
    given = case.as_transport_kwargs(base_url="http://127.0.0.1:8080")
    cookies = {**driver.cookies, **(given.pop("cookies", None) or {})}
    allowed = {"method", "url", "headers", "params", "data", "json", "files", "auth"}
    made = requests.Request(**{k: v for k, v in given.items() if k in allowed}, cookies=cookies).prepare()
    body = made.body.encode() if isinstance(made.body, str) else made.body or b""
    path = "/" + made.url.split("/", 3)[3]
    answer = driver(made.method, path, dict(made.headers), body)
    for line in answer.set_cookies:
        name, _, value = line.partition(";")[0].partition("=")
        if name == "earshot" and value.strip('"'):
            driver.cookies["earshot"] = value
    return answer, made


def received(answer: Answer, made: requests.PreparedRequest) -> Received:
    headers = {name: [value] for name, value in answer.headers.items()}
    return Received(answer.status, headers, answer.body, made, 0.1, False)


@pytest.mark.parametrize(
    ("mode", "examples"),
    [(schemathesis.GenerationMode.POSITIVE, FITTING), (schemathesis.GenerationMode.NEGATIVE, UNFITTING)],
    ids=["fits", "does_not_fit"],
)
def test_no_request_breaks_a_route_and_every_answer_is_as_described(
    chat: Driver, mode: Any, examples: int
) -> None:
    strategies = []
    for operation in OPERATIONS:
        if mode is schemathesis.GenerationMode.NEGATIVE and not (
            operation.body or operation.query or operation.headers or operation.path_parameters
        ):
            continue  # nothing about it can be wrong
        strategies.append(operation.as_strategy(generation_mode=mode))

    def act(case: Any) -> None:
        answer, made = sent(chat, case)
        no_fault(answer, may_be=(503,) if case.path in ("/readyz",) else ())
        case.validate_response(received(answer, made), checks=CHECKS)

    fuzz(st.one_of(strategies), act, examples)


def test_no_body_whatever_it_is_breaks_a_route(chat: Driver) -> None:
    posts = sorted({o.path for o in OPERATIONS if o.method.upper() in ("POST", "DELETE")})
    kinds = ["application/json", "application/x-www-form-urlencoded", "text/plain", "", "multipart/form-data",
             "application/json; charset=utf-16", "application/x-www-form-urlencoded; charset=x"]  # fmt: skip
    names = ["client_id", "text", "choice", "code", "speaker", "on", "proof", "say", "postcode", "q", "after"]
    bodies = st.one_of(
        st.binary(max_size=300),
        st.builds(lambda v: json.dumps(v).encode(), values),
        st.builds(lambda v: json.dumps(v).encode(), st.dictionaries(st.sampled_from(names), values)),
        st.builds(lambda n: b"[" * n + b"]" * n, st.sampled_from([1, 900, 20_000, 200_000])),
        st.builds(lambda n: b'{"a":' * n, st.sampled_from([900, 20_000])),
        st.builds(
            lambda n: b'{"client_id": "x", "text": ' + b"9" * n + b"}", st.sampled_from([10, 5_000, 30_000])
        ),
    )

    def act(asked: tuple[str, str, bytes]) -> None:
        path, kind, body = asked
        no_fault(chat("POST", path, {"content-type": kind} if kind else {}, body))

    fuzz(st.tuples(st.sampled_from(posts), st.sampled_from(kinds), bodies), act, RAW)


def test_no_address_and_no_header_breaks_a_route(chat: Driver) -> None:
    paths = sorted({o.path.replace("{id}", "x") for o in OPERATIONS} - {"/api/events", "/telegram/updates"})
    names = """need postcode age open q limit page per_page proximity minimum_age s after simple day
        start_time framed language search large""".split()
    headers = ["accept", "origin", "cookie", "last-event-id", "sec-fetch-dest", "earshot-framed", "referer",
               "x-forwarded-for", "content-length", "accept-language", "range", "if-none-match"]  # fmt: skip

    def act(asked: tuple[str, list[tuple[str, str]], dict[str, str]]) -> None:
        path, query, told = asked
        target = f"{path}?{urlencode(query, errors='surrogatepass')}"
        no_fault(chat("GET", target, told), may_be=(503,) if path == "/readyz" else ())

    fuzz(
        st.tuples(
            st.sampled_from(paths),
            st.lists(st.tuples(st.sampled_from(names), texts), max_size=5),
            st.dictionaries(st.sampled_from(headers), texts.map(lambda t: t[:200]), max_size=3),
        ),
        act,
        RAW,
    )


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_whatever_somebody_writes_is_stored_answered_and_shown_as_they_wrote_it(
    chat: Driver, name: str
) -> None:
    text = EVERYTHING[name]
    no_fault(chat("POST", "/api/messages", {}, json.dumps({"client_id": name, "text": text}).encode()))
    told = chat("GET", "/api/transcript")
    no_fault(told)
    own = [m for m in json.loads(told.body)["messages"] if m["from"] == "you"]
    if text.strip():
        assert [m["client_id"] for m in own] == [name]
        assert own[0]["text"] == text.encode("utf-8", "replace").decode()
    page = chat("GET", "/")
    no_fault(page)
    for live in ("<script>alert", "<svg/onload", "<img src=x", '" autofocus', "7777777"):
        assert live not in page.text
    no_fault(chat("GET", "/api/events"))


def test_memory_does_not_grow_with_what_is_asked(chat: Driver) -> None:
    def one_round(number: int) -> None:
        for n, text in enumerate(EVERYTHING.values()):
            chat.form("/find", q=text)
            chat("GET", f"/api/nothing-{number}-{n}")
            chat("POST", "/api/messages", {}, b'{"client_id": "' + str(n).encode() + b'", "text": 1}')
            chat("GET", "/api/events")

    for number in range(3):
        one_round(number)
    before = resident()
    for number in range(3, 9):
        one_round(number)
    assert resident() - before < 12 * 2**20
