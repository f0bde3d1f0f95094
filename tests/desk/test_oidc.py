"""Sign-in by a council's own directory: whoever is on the rota, by a real token, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.desk.world import PASSWORD, Browser, World, email, make_core
from tests.standins.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, new_key
from tests.standins.served import served

TOM = {"sub": "tom-at-the-council", "email": email("tom"), "email_verified": True}


@pytest.fixture(scope="module")
def running() -> Iterator[OidcProvider]:
    provider = OidcProvider()
    with served(provider.app) as url:
        provider.issuer = url
        yield provider


@pytest.fixture
def provider(running: OidcProvider) -> OidcProvider:
    running.person, running.spoil, running.signs_with = dict(TOM), {}, None
    running.down = running.in_userinfo = False
    return running


def house(tmp_path, provider: OidcProvider, **more) -> World:
    made = World(
        make_core(
            tmp_path,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=CLIENT_SECRET,
            **more,
        )
    )
    made.hire()
    return made


@pytest.fixture
def world(tmp_path, provider: OidcProvider) -> World:
    return house(tmp_path, provider)


@pytest.fixture
def strict_world(tmp_path, provider: OidcProvider) -> World:
    return house(tmp_path, provider, mode="production", secure_cookies=True)


def out(browser: Browser, target: str = "/desk/") -> str:
    """Off to the provider; gives the address the provider sends the browser back to."""
    answer = browser.get(f"/desk/sign-in/oidc?next={target}")
    assert answer.status_code == 303, answer.text
    back = httpx.get(answer.headers["location"])
    assert back.status_code == 302
    parts = urlsplit(back.headers["location"])
    return f"{parts.path}?{parts.query}"


def sign_in(world: World, target: str = "/desk/"):
    browser = world.browser()
    return browser, browser.get(out(browser, target))


def test_somebody_on_the_rota_is_let_in_and_linked(world: World) -> None:
    browser, answer = sign_in(world, "/desk/account")
    assert answer.status_code == 200 and 'url=/desk/account"' in answer.text
    assert "Tom Ashworth" in browser.get("/desk/account").text
    assert ("tom", "oidc_linked", "tom") in world.log()
    with world.core.store.read() as uow:
        stored = uow.staff_member("tom").oidc_hash
    assert stored and "council" not in stored


def test_the_way_out_carries_pkce_state_and_nonce_and_asks_for_no_more_than_it_needs(
    world: World, provider: OidcProvider
) -> None:
    provider.asked.clear()
    sign_in(world)
    sign_in(world)
    first, second = provider.asked
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 20 and first[name] != second[name]
    assert first["scope"] == "openid email profile" and first["code_challenge_method"] == "S256"


def test_from_the_second_time_on_the_subject_counts_not_the_address(
    world: World, provider: OidcProvider
) -> None:
    sign_in(world)
    provider.person = {"sub": TOM["sub"], "email": "somebody@else.example", "email_verified": False}
    browser, answer = sign_in(world)
    assert answer.status_code == 200 and "Tom Ashworth" in browser.get("/desk/account").text


def test_somebody_else_with_the_same_address_is_refused(world: World, provider: OidcProvider) -> None:
    sign_in(world)
    provider.person = {**TOM, "sub": "another"}
    browser, answer = sign_in(world)
    assert answer.status_code == 403 and "earshot_desk" not in browser.client.cookies
    assert ("nobody", "oidc_denied", "tom") in world.log()


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_was_not_verified_lets_nobody_in(
    world: World, provider: OidcProvider, verified: object
) -> None:
    provider.person = {**TOM, "email_verified": verified}
    browser, answer = sign_in(world)
    assert answer.status_code == 403 and "earshot_desk" not in browser.client.cookies


def test_who_is_not_on_the_rota_or_has_left_is_refused(world: World, provider: OidcProvider) -> None:
    provider.person = {**TOM, "email": "stranger@council.example"}
    assert sign_in(world)[1].status_code == 403
    provider.person = dict(TOM)
    sign_in(world)
    with world.core.uow() as uow:
        uow.staff_member("tom").active = False
        uow.commit()
    assert sign_in(world)[1].status_code == 403


@pytest.mark.parametrize(
    "spoil",
    [
        {"nonce": "of another way"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another"]},  # and no azp
        {"aud": [CLIENT_ID], "azp": "another"},
        {"iss": "https://another.example"},
        {"exp": 1_700_000_000},  # November 2023
        {"exp": None},
        {"iat": 4_000_000_000},  # October 2096
        {"sub": None},
        {"at_hash": "of another access token"},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_and_for_now_lets_nobody_in(
    world: World, provider: OidcProvider, spoil: dict
) -> None:
    provider.spoil = spoil
    browser, answer = sign_in(world)
    assert answer.status_code == 401 and "earshot_desk" not in browser.client.cookies
    assert not [entry for entry in world.log() if entry[1] == "signed_in"]


def test_a_token_signed_by_somebody_else_lets_nobody_in(world: World, provider: OidcProvider) -> None:
    provider.signs_with = new_key()
    assert sign_in(world)[1].status_code == 401


def test_keys_that_were_changed_are_fetched_again(world: World, provider: OidcProvider) -> None:
    sign_in(world)
    provider.key = new_key()
    assert sign_in(world)[1].status_code == 200


def test_a_way_back_without_its_way_out_lets_nobody_in(world: World) -> None:
    browser = world.browser()
    back = out(browser)
    stranger = world.browser()
    assert stranger.get(back).status_code == 401, "no cookie"
    other = world.browser()
    out(other)
    assert other.get(back).status_code == 401, "the state of another way"
    assert browser.get(back).status_code == 200
    assert browser.get(back).status_code == 401, "the cookie is used up"


def test_a_code_works_with_its_own_verifier_only(world: World) -> None:
    first, second = world.browser(), world.browser()
    code = parse_qs(urlsplit(out(first)).query)["code"][0]
    state = parse_qs(urlsplit(out(second)).query)["state"][0]
    assert second.get(f"/desk/sign-in/oidc/back?code={code}&state={state}").status_code == 401


def test_an_address_that_only_userinfo_tells_counts_too(world: World, provider: OidcProvider) -> None:
    provider.in_userinfo = True
    assert sign_in(world)[1].status_code == 200
    provider.spoil = {"sub": "another"}
    assert sign_in(world)[1].status_code == 401, "userinfo is about somebody else"


def test_while_the_provider_is_down_passwords_go_on_working(tmp_path, provider: OidcProvider) -> None:
    provider.down = True
    world = house(tmp_path, provider)
    browser = world.browser()
    answer = browser.get("/desk/sign-in/oidc")
    assert answer.status_code == 503 and 'name="password"' in answer.text
    assert browser.post("/desk/sign-in", email=email("tom"), password=PASSWORD).status_code == 303
    provider.down = False
    assert sign_in(world)[1].status_code == 200


def test_a_provider_that_goes_down_on_the_way_back_is_told(world: World, provider: OidcProvider) -> None:
    browser = world.browser()
    back = out(browser)
    provider.down = True
    assert browser.get(back).status_code == 503


def secure(browser: Browser) -> Browser:
    browser.client.base_url = "https://testserver"
    return browser


def test_our_second_factor_is_asked_for_unless_the_provider_saw_one(
    strict_world: World, provider: OidcProvider
) -> None:
    strict_world.has_factor("tom")
    browser = secure(strict_world.browser())
    browser.get(out(browser))
    assert browser.get("/desk/").headers["location"] == "/desk/second-factor"
    for said in ({"amr": ["pwd", "mfa"]}, {"acr": "mfa"}):
        provider.spoil = said
        browser = secure(strict_world.browser())
        browser.get(out(browser))
        assert browser.get("/desk/").status_code == 200, said
    for said in ({"amr": ["pwd"]}, {"amr": "mfa"}, {"acr": ["mfa"]}):
        provider.spoil = said
        browser = secure(strict_world.browser())
        browser.get(out(browser))
        assert browser.get("/desk/").status_code != 200, said


def test_the_providers_factor_stands_in_for_whoever_has_none_of_ours(
    strict_world: World, provider: OidcProvider
) -> None:
    provider.spoil = {"amr": ["mfa"]}
    browser = secure(strict_world.browser())
    browser.get(out(browser))
    assert browser.get("/desk/").status_code == 200


def test_signing_out_ends_our_session_and_leads_to_theirs(world: World, provider: OidcProvider) -> None:
    browser, _ = sign_in(world)
    left = browser.post("/desk/sign-out")
    page = browser.get(left.headers["location"])
    assert "/desk/sign-in/oidc?out=1" in page.text
    end = browser.get("/desk/sign-in/oidc?out=1").headers["location"]
    assert end.startswith(f"{provider.issuer}/end?") and f"client_id={CLIENT_ID}" in end
    assert browser.get("/desk/account").status_code == 303


def test_an_administrator_cannot_become_somebody_by_changing_their_address(world: World) -> None:
    ada = world.at_desk("ada")
    form = {"name": "Tom Ashworth", "role": "duty_worker", "job_title": "Duty worker"}
    answer = ada.post("/desk/people/tom", **form, email="ada@council.example")
    assert answer.status_code == 403
    with world.core.store.read() as uow:
        assert uow.staff_member("tom").email == email("tom")


def test_a_new_address_or_a_reset_unlinks_them(world: World) -> None:
    sign_in(world)
    lena = world.at_desk("lena")
    form = {"name": "Tom Ashworth", "role": "duty_worker", "job_title": "Duty worker"}
    assert lena.post("/desk/people/tom", **form, email="tom.new@desk.example").status_code == 303
    with world.core.store.read() as uow:
        assert uow.staff_member("tom").oidc_hash is None
    assert sign_in(world)[1].status_code == 403


def test_nowhere_else_than_the_desk_is_anybody_sent_afterwards(world: World) -> None:
    _, answer = sign_in(world, "https://evil.example/")
    assert 'url=/desk/"' in answer.text and "evil" not in answer.text


def test_without_a_provider_there_is_no_button_and_no_way(tmp_path) -> None:
    plain = World(make_core(tmp_path))
    browser = plain.browser()
    assert "organisation" not in browser.get("/desk/sign-in").text
    for path in ("/desk/sign-in/oidc", "/desk/sign-in/oidc/back?code=a&state=b"):
        assert browser.get(path).headers["location"] == "/desk/sign-in"
