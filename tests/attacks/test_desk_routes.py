"""Every route of the desk, by every role, with forms nobody would fill in like that."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import urlencode

import pytest
from hypothesis import strategies as st

from bot.desk import access
from bot.desk.app import desk_app
from bot.spreadsheet import csv_row
from tests.attacks.driver import fuzz, no_fault
from tests.attacks.nasty import EVERYTHING, INJECTION, texts
from tests.attacks.seats import Staffed
from tests.desk.test_access import ROLES
from tests.desk.world import World

#: Requests in one round, over every route and role.
EXAMPLES = 450
#: Names of fields that some form of the desk has.
FIELDS = (
    """
    address areas area area_id body_name casework category chronology check client_id closes code
    csrf_token current date day days description details duty email ends export field first_day from
    heading hours id job_title kind label language last_day leave level message mode name nation new
    next note notes on opens outcome password phone place place_id place_name q reason record
    reference role row size staff_id starts state status summary text title to token told until url
    version weeks with yes
    """
).split()


def routes(world: World) -> list[tuple[str, str]]:
    """``(method, template)`` of every route."""
    found = []
    for route in desk_app(world.core, world.changes).routes:
        methods = getattr(route, "methods", None) or {"GET"}
        path = route.path if hasattr(route, "methods") else f"{route.path}/{{path:path}}"
        found += [(method, path) for method in sorted(methods - {"HEAD"})]
    return found


NUMBERS = st.sampled_from(["1", "2", "3", "0", "999", "9223372036854775807", "9223372036854775808", "9" * 40])


def test_no_form_breaks_the_desk_whoever_sends_it(desk: Staffed) -> None:
    for _ in range(2):
        desk.world.case()
    case = desk.world.case()
    token = desk.seat("duty_worker")
    desk.driver.form(f"/desk/cases/{case}/accept", csrf_token=token)

    def act(asked: tuple[tuple[str, str], str, str, str, dict[str, str], bool, str]) -> None:
        (method, template), role, number, word, fields, sensible, again = asked
        token = desk.seat(role)
        values = {"{id:int}": number, "{row:int}": again, "{path:path}": word, "{staff_id}": word}
        path = template
        for name, value in values.items():
            path = path.replace(name, urlencode({"": value}, errors="surrogatepass")[1:])
        if path == "/events" and method == "HEAD":
            return
        if method == "POST":
            form = {**fields, **({"csrf_token": token} if sensible else {})}
            answer = desk.driver.form("/desk" + path, **form)
        else:
            query = urlencode(fields, errors="surrogatepass")
            answer = desk.driver(method, f"/desk{path}?{query}", {"accept": "text/html"})
        no_fault(answer)

    values = texts | st.sampled_from(
        ["1", "high", "none", "priya", "2026-02-30", "25:61", "noah", "hill", "-1"]
    )
    fuzz(
        st.tuples(
            st.sampled_from(routes(desk.world)),
            st.sampled_from([access.NOBODY, *sorted(ROLES)]),
            NUMBERS,
            st.sampled_from(["noah", "ada", "lena", "nobody", "desk.css", "../app.py"]) | texts,
            st.dictionaries(st.sampled_from(FIELDS), values, max_size=6),
            st.integers(0, 9).map(bool),
            NUMBERS,
        ),
        act,
        EXAMPLES,
    )


def fields_of(page: str, action: str) -> list[str]:
    """Names of the fields of the form that goes to ``action``."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    return re.findall(r'name="([^"]+)"', form[0]) if form else []


def test_every_form_the_desk_shows_bears_whatever_is_typed_into_it(desk: Staffed) -> None:
    case = desk.world.case()
    worker = desk.seat("duty_worker")
    desk.driver.form(f"/desk/cases/{case}/accept", csrf_token=worker)
    pages = {
        "duty_worker": [f"/desk/cases/{case}", f"/desk/cases/{case}/record", "/desk/account"],
        "lead": ["/desk/people", "/desk/people/new", "/desk/people/noah", "/desk/people/file",
                 "/desk/replies", f"/desk/cases/{case}", "/desk/posters", "/desk/audit"],
    }  # fmt: skip
    sent = 0
    for role, shown in pages.items():
        desk.seat(role)
        for path in shown:
            page = desk.driver("GET", path, {"accept": "text/html"}).text
            for action in sorted(set(re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', page))):
                if "sign-out" in action or "duty" in action:
                    continue
                for text in (EVERYTHING["lone_high"], EVERYTHING["nul"], EVERYTHING["combining"],
                             EVERYTHING["yaml"], EVERYTHING["html"], EVERYTHING["formula"], ""):  # fmt: skip
                    token = desk.seat(role)
                    names = [name for name in fields_of(page, action) if name != "csrf_token"]
                    form = {name: text for name in names}
                    no_fault(desk.driver.form(action, **{**form, "csrf_token": token}))
                    sent += 1
    assert sent > 80


@pytest.mark.parametrize("name", sorted(INJECTION))
def test_what_a_child_wrote_is_only_ever_text_on_the_desk(desk: Staffed, name: str) -> None:
    text = f"my stepdad hits me {INJECTION[name]}"
    case = desk.world.case(text)
    token = desk.seat("duty_worker")
    desk.driver.form(f"/desk/cases/{case}/accept", csrf_token=token)
    for path in (
        f"/desk/cases/{case}",
        f"/desk/cases/{case}/letter",
        f"/desk/cases/{case}/record",
        "/desk/side",
    ):
        page = desk.driver("GET", path, {"accept": "text/html"})
        no_fault(page)
        for live in ("<script>alert", "<svg/onload", "<img src=x", '" autofocus onfocus', "49", "7777777"):
            assert live == "49" or live not in page.text, path


@pytest.mark.parametrize("cell", sorted(EVERYTHING.values()))
def test_no_cell_of_an_export_is_a_formula(cell: str) -> None:
    row = csv_row([cell, {"a": cell}, None, 3])
    (read,) = csv.reader(io.StringIO(row, newline=""), strict=True)
    assert len(read) == 4
    for value in read:
        assert not re.match(r"[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]", value), ascii(value)


def test_exports_bear_whatever_stands_in_the_database(desk: Staffed) -> None:
    desk.seat("lead")
    with desk.world.core.uow() as uow:
        person = uow.staff_member("noah")
        person.name, person.job_title = (
            INJECTION["formula"],
            INJECTION["formula_dde"],
        )
        uow.commit()
    exports = "audit/export.csv audit/export.json statistics/export.csv people/file/export people people/noah"
    for path in [f"/desk/{below}" for below in exports.split()]:
        answer = desk.driver("GET", path, {"accept": "text/html"})
        no_fault(answer)
        if path.endswith(".csv"):
            for row in csv.reader(io.StringIO(answer.text, newline=""), strict=True):
                assert not [cell for cell in row if cell.startswith(("=", "+", "@", "-"))]
