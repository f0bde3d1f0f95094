"""Finding help without the chat: the page, the leaflet, the interface and Open Referral UK."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from jsonschema import Draft202012Validator, FormatChecker
from limits import parse
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from bot.areas.authorities import Authorities
from bot.areas.finder import Answer, AnswerKind, Areas
from bot.areas.table import Position
from bot.channels import find
from bot.channels.problems import handlers
from bot.directory.feed import open_feed
from bot.directory.importer import import_feed
from bot.gateway.headers import SecurityHeaders
from bot.gateway.limits import RATES, Limits
from bot.settings import ROOT
from tests.standins.service_feed import service

SCHEMAS = Path(__file__).parents[1] / "data" / "oruk"
#: What of ours must never come back in an address or a log.
POSTCODE = "SO14 7DU"


class AreasHere:
    """The look-up without the list of postcodes, which a test machine may not have built."""

    def look_up(self, text: str):
        if text.replace(" ", "").upper() != POSTCODE.replace(" ", ""):
            return Areas(Authorities.load(), None).look_up(text)
        authorities = Authorities.load()
        area = authorities.whole("E06000045")
        return Answer(AnswerKind.FOUND, (area,), postcode=POSTCODE, position=Position(50.9081, -1.4012))

    find = look_up


@pytest.fixture
def app(core, tmp_path, monkeypatch) -> Starlette:
    file = tmp_path / "feed.json"
    file.write_text(json.dumps([service(n) for n in range(130)]))
    import_feed(core.store, open_feed(str(file)), core.now)
    monkeypatch.setattr(find.FindDoor, "areas", AreasHere())
    static = StaticFiles(directory=ROOT / "bot" / "channels" / "static")
    return Starlette(
        routes=[*find.routes(core, Limits(core)), Mount("/static", static)],
        middleware=[Middleware(SecurityHeaders, hsts=False)],
        exception_handlers=handlers(core.content),
    )


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


def search(client, **query):
    answer = client.get("/api/services", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestTheInterface:
    def test_services_are_found_with_everything_a_parent_asks(self, client):
        found = search(client, need="behaviour", postcode=POSTCODE, age="8")
        first = found["services"][0]
        assert first["name"] == "Calmer Days parenting course" and first["demo"]
        assert first["distance_miles"] < 1 and found["area"]["authority"]["name"] == "Southampton"
        assert all(s[told] for s in found["services"] for told in ("who", "how", "wait", "cost", "hours"))
        assert all(set(s["checked"]) == {"on", "by", "overdue"} for s in found["services"])

    def test_words_are_as_good_as_a_need(self, client):
        assert search(client, q="i cant cope with his behavour")["needs"] == ["behaviour"]
        assert search(client, need="tantrums")["needs"] == ["behaviour"]

    def test_filters_narrow_it_down(self, client):
        found = search(client, need="behaviour", free="1", self_referral="1", open="weekend", limit="50")
        assert found["services"] and not found["notices"][1:]
        assert all(s["free"] and s["self_referral"] for s in found["services"])

    @pytest.mark.parametrize(
        ("field", "value"),
        [("age", "old"), ("open", "sometimes"), ("limit", "0"), ("limit", "9999"), ("q", "x" * 500)],
    )
    def test_a_field_that_cannot_be_read_is_named(self, client, field, value):
        answer = client.get("/api/services", params={field: value})
        assert answer.status_code == 422 and field in answer.json()["detail"]

    def test_areas_answer_for_a_postcode_and_refuse_nothing(self, client):
        assert client.get("/api/areas", params={"postcode": POSTCODE}).json()["nation"] == "England"
        assert client.get("/api/areas").status_code == 422

    def test_somebody_who_asks_all_the_time_is_slowed_down(self, client, monkeypatch):
        monkeypatch.setitem(RATES, "searches", parse("2/minute"))
        assert [client.get("/api/areas?postcode=x").status_code for _ in range(3)] == [200, 200, 429]


class TestTheLeaflet:
    def ids(self, client) -> str:
        found = search(client, need="behaviour", limit="3")
        return "&".join(f"s={s['id']}" for s in found["services"])

    def test_the_same_services_as_page_pdf_and_text(self, client):
        chosen = self.ids(client)
        names = [s["name"] for s in search(client, need="behaviour", limit="3")["services"]]
        page, text = client.get(f"/leaflet?{chosen}").text, client.get(f"/leaflet.txt?{chosen}").text
        assert all(name in page and name in text for name in names)
        assert "Call 999" in page and "Call 999" in text and "not told" in text
        ordinary = client.get(f"/leaflet.pdf?{chosen}")
        large = client.get(f"/leaflet.pdf?{chosen}&large=1")
        for pdf in (ordinary, large):
            assert pdf.content.startswith(b"%PDF-") and pdf.headers["content-type"] == "application/pdf"
            assert pdf.headers["cache-control"] == "no-store"
            assert "notes.pdf" in pdf.headers["content-disposition"]
        assert ordinary.content != large.content

    def test_a_leaflet_of_nothing_known_is_not_found(self, client):
        assert client.get("/leaflet?s=gone").status_code == 404
        assert client.get("/leaflet.pdf").status_code == 404


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=FormatChecker())


def check(name: str, document) -> None:
    wrong = [
        f"{'/'.join(map(str, e.path))}: {e.message[:100]}" for e in validator(name).iter_errors(document)
    ]
    assert not wrong, (document.get("name"), wrong)


class TestOpenReferral:
    def pages(self, client, path, **query):
        number, seen = 1, []
        while True:
            answer = client.get(f"/oruk/{path}", params={**query, "page": number})
            assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "*"
            page = answer.json()
            assert page["page_number"] == number and page["first_page"] is (number == 1)
            assert page["size"] == len(page["contents"]) and page["empty"] is (not page["contents"])
            seen += page["contents"]
            if page["last_page"]:
                assert len(seen) == page["total_items"] and number == page["total_pages"]
                return seen
            number += 1

    def test_the_schemas_tell_right_from_wrong(self):
        assert not validator("compiled_service").is_valid({"id": "x", "name": "N", "status": "open"})

    def test_every_service_satisfies_the_profile_in_short_and_whole(self, client):
        listed = self.pages(client, "services")
        assert len(listed) > 190 and len({s["id"] for s in listed}) == len(listed)
        for short in listed:
            check("compiled_service_list", short)
            whole = client.get(f"/oruk/services/{short['id']}").json()
            check("compiled_service", whole)
            assert whole["name"] == short["name"]

    def test_waits_eligibility_and_how_to_apply_travel_with_the_record(self, client):
        (found,) = self.pages(client, "services", search="Calmer Days parenting course")[:1]
        whole = client.get(f"/oruk/services/{found['id']}").json()
        assert whole["wait_time"] and whole["eligibility_description"] and whole["application_process"]

    def test_services_at_locations_near_a_postcode(self, client):
        every = self.pages(client, "service_at_locations")
        near = self.pages(client, "service_at_locations", postcode=POSTCODE, proximity="5000")
        assert 0 < len(near) < len(every)
        for item in every[:60]:
            check("compiled_service_at_location_list", item)
        whole = client.get(f"/oruk/service_at_locations/{near[0]['id']}").json()
        assert whole["service"]["id"] == near[0]["service"]["id"]

    def test_taxonomies_and_their_terms(self, client):
        taxonomies, terms = self.pages(client, "taxonomies"), self.pages(client, "taxonomy_terms")
        assert len(taxonomies) == 2 and len(terms) > 30
        for taxonomy in taxonomies:
            check("taxonomy", taxonomy)
            assert client.get(f"/oruk/taxonomies/{taxonomy['id']}").json() == taxonomy
        for term in terms:
            check("taxonomy_term", term)
        assert client.get(f"/oruk/taxonomy_terms/{terms[0]['id']}").json() == terms[0]

    def test_the_profile_s_filters(self, client):
        (term,) = [t for t in self.pages(client, "taxonomy_terms") if t["name"] == "debt advice"][:1]
        found = self.pages(client, "services", taxonomy_term_id=term["id"])
        assert found and all(s["name"].startswith("Debt advice") for s in found)
        assert all(s.get("minimum_age", 0) >= 9 for s in self.pages(client, "services", minimum_age="9"))
        assert 0 < len(self.pages(client, "services", day="TU")) < len(self.pages(client, "services"))

    def test_what_is_exported_is_imported_again(self, client, core, tmp_path):
        whole = [client.get(f"/oruk/services/{s['id']}").json() for s in self.pages(client, "services")]
        file = tmp_path / "again.json"
        file.write_text(json.dumps(whole))
        done = import_feed(core.store, open_feed(str(file)), core.now)
        assert (done.services, done.problems) == (len(whole), ())

    @pytest.mark.parametrize(
        "path", ["services/x", "taxonomies/x", "taxonomy_terms/x", "service_at_locations/x"]
    )
    def test_what_is_not_there_is_not_found(self, client, path):
        assert client.get(f"/oruk/{path}").status_code == 404

    def test_a_page_number_that_is_none_is_refused(self, client):
        assert client.get("/oruk/services?page=-1").status_code == 422
        assert client.get("/oruk").json()["version"].startswith("HSDS-UK")


class TestPrivacy:
    def test_a_postcode_is_in_no_address_no_cookie_and_no_log(self, client, caplog, capfd):
        with caplog.at_level(logging.DEBUG):
            form = {"q": f"sleep, we live at {POSTCODE}", "postcode": POSTCODE, "age": "3"}
            answer = client.post("/find", data=form)
        assert answer.status_code == 200 and "set-cookie" not in answer.headers
        links = [part.split('"')[0] for part in answer.text.split('href="')[1:]]
        assert not [link for link in links if "SO14" in link or "7DU" in link]
        said = caplog.text + "".join(capfd.readouterr())
        assert POSTCODE not in said and "7DU" not in said

    def test_a_link_with_a_postcode_is_led_to_one_without(self, client):
        answer = client.get("/find", params={"need": "sleep", "postcode": POSTCODE, "age": "3"})
        assert answer.status_code == 303 and answer.headers["location"] == "/find?need=sleep&age=3"

    def test_the_finder_may_stand_inside_a_council_s_page_and_the_leaflet_may_not(self, client):
        assert "frame-ancestors 'self' https:" in client.get("/find").headers["content-security-policy"]
        chosen = search(client, need="sleep", limit="1")["services"][0]["id"]
        policy = client.get(f"/leaflet?s={chosen}").headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy


@pytest.fixture
def address(app) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.05)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


def open_page(browser: Browser, address: str, width: int, scripts: bool) -> Page:
    context = browser.new_context(
        base_url=address, viewport={"width": width, "height": 900}, java_script_enabled=scripts
    )
    context.set_default_timeout(15_000)
    return context.new_page()


def violations(page: Page) -> list[str]:
    return [v["id"] for v in Axe().run(page).response["violations"]]


class TestInTheBrowser:
    @pytest.mark.parametrize("width", [1280, 375])
    def test_a_parent_without_scripts_finds_three_services_and_makes_a_leaflet(self, browser, address, width):
        page = open_page(browser, address, width, scripts=False)
        page.goto("/find")
        page.get_by_label("What is hard at the moment").fill("i cant cope with his behaviour")
        page.get_by_label("Postcode").fill(POSTCODE)
        page.get_by_label("Age of your child").fill("8")
        page.get_by_role("button", name="Find help").click()
        expect(page.locator(".service h3").first).to_have_text("Demo, made up: Calmer Days parenting course")
        assert "SO14" not in page.url
        for card in page.locator(".service").all()[:3]:
            for told in ("Who it is for", "How to get it", "Wait", "Cost"):
                assert card.get_by_text(told, exact=True).count() == 1
            assert card.get_by_text("Last checked:").count() == 1
        with page.expect_popup() as opened:
            page.get_by_role("button", name="Make a leaflet").click()
        leaflet = opened.value
        expect(leaflet.locator(".service")).to_have_count(3)
        page.context.close()

    def test_the_shared_address_shows_the_same_search_without_the_postcode(self, browser, address, core):
        page = open_page(browser, address, 1280, scripts=True)
        page.goto("/find?need=sleep&age=3&open=weekend")
        assert page.get_by_label("Age of your child").input_value() == "3"
        assert page.get_by_label("Postcode").input_value() == ""
        assert page.locator(".service").count() > 0
        page.context.close()

    @pytest.mark.parametrize("width", [1280, 375])
    def test_nothing_for_axe_to_find_and_nothing_wider_than_the_screen(self, browser, address, width, client):
        page = open_page(browser, address, width, scripts=True)
        chosen = "&".join(f"s={s['id']}" for s in search(client, need="sleep", limit="3")["services"])
        for path in (
            "/find",
            "/find?need=clubs&language=Klingon",
            f"/leaflet?{chosen}",
            f"/leaflet?{chosen}&large=1",
        ):
            page.goto(path)
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.context.close()
