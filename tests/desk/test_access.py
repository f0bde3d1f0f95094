"""The allow-list, forms from elsewhere, and the headers of every answer."""

from __future__ import annotations

import pytest
from starlette.routing import Mount

from bot.desk import access, gate
from bot.desk.app import desk_app
from bot.desk.gate import CSP
from tests.desk.world import PEOPLE

ROLES = {role: staff_id for staff_id, _, role, *_ in reversed(PEOPLE)}


def routes(world):
    """``(path template, method)`` of everything the desk answers."""
    for route in desk_app(world.core, world.changes).routes:
        if isinstance(route, Mount):
            yield f"{route.path}/{{path:path}}", "GET"
        else:
            for method in sorted(route.methods):
                yield route.path, method


def concrete(template: str, case: int) -> str:
    values = {"{id:int}": str(case), "{path:path}": "desk.css", "{staff_id}": "noah", "{row:int}": "1"}
    values |= {"{place_id}": "hill", "{area_id}": "Northmoor"}
    for name, value in values.items():
        template = template.replace(name, value)
    return template


def test_every_route_is_on_the_allow_list_and_every_rule_has_a_route(world):
    listed = {(rule.path, method) for rule in access.RULES for method in rule.methods}
    there = set(routes(world))
    assert {(path, method) for path, method in listed if method != "HEAD"} == {
        (path, method) for path, method in there if method != "HEAD"
    }


@pytest.fixture
def refusals(monkeypatch) -> list[str]:
    """The paths that the gate refused, whatever it answered."""
    seen: list[str] = []
    real = gate._refused
    monkeypatch.setattr(
        gate, "_refused", lambda request, me: (seen.append(request.url.path), real(request, me))[1]
    )
    return seen


@pytest.mark.parametrize("role", [access.NOBODY, access.HALF_WAY, *sorted(access.STAFF)])
def test_every_route_answers_only_the_roles_on_its_rule(world, role, refusals):
    case = world.case()
    if role == access.HALF_WAY:
        world.has_factor("tom")
    who = {access.NOBODY: None, access.HALF_WAY: "tom"}.get(role, ROLES.get(role))
    walked, browser, token = 0, None, ""
    for template, method in routes(world):
        if template == "/events" and access.permitted("/events", "GET", role):
            continue  # a stream never ends; its refusals do
        if browser is None or (who and "earshot_desk" not in browser.client.cookies):
            browser = world.at_desk(who) if who else world.browser()
            token = browser.token() if who else ""
        path = concrete(template, case)
        refusals.clear()
        if method == "POST":
            answer = browser.post("/desk" + path, csrf_token=token)
        else:
            answer = browser.client.request(method, "/desk" + path, headers={"accept": "text/html"})
        allowed = access.permitted(path, method, role)
        assert (refusals == []) == allowed, (template, method, role, answer.status_code)
        if not allowed:
            assert answer.status_code in (303, 401, 403)
            assert (
                answer.status_code != 303
                or "/sign-in" in answer.headers["location"]
                or role == access.HALF_WAY
            )
        assert answer.status_code < 500
        walked += 1
    assert walked > 30


def test_what_is_not_listed_is_refused_to_everyone(world):
    for role in access.STAFF:
        assert world.at_desk(ROLES[role]).get("/desk/anything").status_code == 403
        assert not access.permitted("/cases/1/delete", "POST", role)
        assert not access.permitted("/cases/1", "DELETE", role)
    assert not access.permitted("/", "GET", "a role nobody knows")


def test_an_administrator_sees_no_case(world):
    case = world.case()
    admin = world.at_desk("ada")
    reference = world.handover(case).reference
    assert admin.get(f"/desk/cases/{case}").status_code == 403
    assert admin.get(f"/desk/cases/{case}/news").status_code == 403
    assert admin.get("/desk/queue").status_code == 403
    page = admin.get("/desk/")
    assert page.status_code == 200 and reference not in page.text


def test_a_safe_adult_sees_only_what_came_to_them(world):
    theirs, others = world.case(safe_adult="okoro"), world.case()
    okoro = world.at_desk("okoro")
    listed = okoro.get("/desk/").text
    assert world.handover(theirs).reference in listed
    assert world.handover(others).reference not in listed
    assert okoro.get(f"/desk/cases/{theirs}").status_code == 200
    for path in ("", "/news"):
        refused = okoro.get(f"/desk/cases/{others}{path}")
        assert refused.status_code == 403 and "stepdad" not in refused.text
    assert okoro.post(f"/desk/cases/{others}/accept").status_code == 403
    assert world.handover(others).state == "waiting"
    # Whether a case exists is not told either.
    assert okoro.get("/desk/cases/999").status_code == 403
    assert world.at_desk("priya").get("/desk/cases/999").status_code == 404


@pytest.mark.parametrize("token", ["", "made up", None])
def test_a_form_without_the_sessions_token_changes_nothing(world, token):
    case = world.case()
    browser = world.at_desk("priya")
    form = {} if token is None else {"csrf_token": token}
    answer = browser.client.post(f"/desk/cases/{case}/accept", data=form or {"x": "y"})
    assert answer.status_code == 403
    assert world.handover(case).state == "waiting"


def test_the_token_of_another_session_does_not_fit(world):
    case = world.case()
    other = world.at_desk("tom").token()
    answer = world.at_desk("priya").post(f"/desk/cases/{case}/accept", csrf_token=other)
    assert answer.status_code == 403 and world.handover(case).state == "waiting"


def test_the_token_may_come_in_a_header(world):
    case = world.case()
    browser = world.at_desk("priya")
    answer = browser.client.post(
        f"/desk/cases/{case}/accept", data={"x": "y"}, headers={"x-csrf-token": browser.token()}
    )
    assert answer.status_code == 303 and world.handover(case).state == "accepted"


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_a_form_from_another_site_is_refused_even_before_sign_in(world, headers):
    token = world.link("priya")
    assert world.browser().post("/desk/sign-in/link", headers, token=token).status_code == 403
    assert world.browser().post("/desk/sign-in/link", token=token).status_code == 303


def test_a_form_from_the_public_address_is_ours_behind_a_proxy(world):
    origin = {"origin": world.core.settings.url, "host": "gateway.internal"}
    assert world.browser().post("/desk/sign-in/link", origin, token=world.link("priya")).status_code == 303


def test_only_plain_forms_of_a_sane_size_are_read(world):
    browser = world.browser()
    assert browser.client.post("/desk/sign-in", json={"email": "a"}).status_code == 415
    assert browser.post("/desk/sign-in", email="a" * 70_000).status_code == 413
    broken = browser.client.post(
        "/desk/sign-in",
        content=b"email=\xff\xfe",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert broken.status_code == 413


def test_every_answer_carries_the_security_headers(world):
    case = world.case()
    signed_in = world.at_desk("priya")
    for browser, path in (
        (world.browser(), "/desk/sign-in"),
        (world.browser(), "/desk/"),
        (world.browser(), "/desk/static/desk.css"),
        (signed_in, "/desk/"),
        (signed_in, f"/desk/cases/{case}"),
        (signed_in, "/desk/cases/999"),
        (signed_in, "/desk/nothing"),
    ):
        headers = browser.get(path).headers
        assert headers["content-security-policy"] == CSP, path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


def test_no_page_has_inline_script_or_style(world):
    case = world.case()
    browser = world.at_desk("priya")
    browser.post(f"/desk/cases/{case}/accept")
    for path in ("/desk/", f"/desk/cases/{case}", f"/desk/sign-in?token={world.link('tom')}"):
        page = browser.get(path).text
        assert " style=" not in page and "<style" not in page and " onclick" not in page
        assert page.count("<script") == page.count('<script type="module" src="/desk/static/')


def test_what_breaks_is_told_plainly_and_carries_the_headers(world, monkeypatch):
    def broken(*_args, **_more):
        raise RuntimeError("words of a child")

    browser = world.at_desk("priya")
    monkeypatch.setattr("bot.desk.queue.queue_rows", broken)
    answer = browser.get("/desk/")
    assert answer.status_code == 500 and "Something broke" in answer.text
    assert "words of a child" not in answer.text
    assert answer.headers["content-security-policy"] == CSP
