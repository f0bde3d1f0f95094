"""Sign-in by a council's own directory: OpenID Connect, authorization code with PKCE, state and nonce.

It lets in only who is on the rota already: the first time by an e-mail address that the provider has
verified, from then on by the provider's own id for them (``sub``), which is kept as a keyed hash. The
provider's word for a second factor counts where it gives one of ``EARSHOT_OIDC_SECOND_FACTOR`` as ``amr`` or
``acr``; without it ours is asked for. While the provider is down, passwords go on working.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.bootstrap import Core
from bot.desk.sessions import let_in, with_cookie
from bot.desk.sign_in import safe_next
from bot.settings import Settings
from bot.store.encryption import CannotDecrypt, Cipher
from bot.store.models import Staff
from bot.store.uow import UnitOfWork

log = structlog.get_logger(__name__)

#: The cookie between the way out and the way back; it is sealed, and good for so many seconds.
COOKIE, WAY_SECONDS = "earshot_oidc", 600
#: Signatures that are taken: none with a shared secret, and never "none".
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
#: Seconds for one request to the provider, and for which what it says of itself is kept.
TIMEOUT, KEEP = 5.0, 3_600
#: Seconds by which clocks may differ.
LEEWAY = 60


class ProviderDown(Exception):
    """The provider does not answer, or not as it should."""


class Refused(Exception):
    """What came back does not let anybody in. The text is a reason for the log, without anybody's data."""


@dataclass(frozen=True)
class Way:
    """One way out and back, in the browser's sealed cookie."""

    state: str
    nonce: str
    verifier: str
    next: str
    until: float


class Provider:
    """The council's provider, found by its issuer. What it says of itself is fetched when it is needed."""

    def __init__(self, settings: Settings, cipher: Cipher) -> None:
        self.issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.get_secret_value() or None
        self._factors = settings.oidc_factors
        self._ours = settings.url
        self._cipher = cipher
        self._known: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, Mapping[str, Any]] | None = None

    def begin(self, target: str) -> tuple[str, str]:
        """The address to send the browser to, and the sealed cookie it brings back.

        Raises:
            ProviderDown: the provider cannot be asked where that is.
        """
        about = self._about()
        way = Way(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next=target,
            until=time.time() + WAY_SECONDS,
        )
        with self._session(about) as session:
            url, _ = session.create_authorization_url(
                about["authorization_endpoint"],
                state=way.state,
                nonce=way.nonce,
                code_verifier=way.verifier,
            )
        return url, self._cipher.seal(json.dumps(asdict(way))).decode()

    def way_of(self, cookie: str | None) -> Way:
        """The way that a browser's cookie tells of.

        Raises:
            Refused: none, not ours, or too old.
        """
        try:
            way = Way(**json.loads(self._cipher.open((cookie or "").encode())))
        except (CannotDecrypt, ValueError, TypeError):
            raise Refused("no cookie") from None
        if way.until < time.time():
            raise Refused("too late")
        return way

    def finish(self, way: Way, code: str) -> Mapping[str, Any]:
        """Who came back: the checked claims of their ID token.

        Raises:
            ProviderDown: the provider does not answer.
            Refused: it does not know the code, or the token is not one for us and for this way.
        """
        about = self._about()
        try:
            with self._session(about) as session:
                token = session.fetch_token(
                    about["token_endpoint"], code=code, code_verifier=way.verifier, timeout=TIMEOUT
                )
                claims = self._checked(about, token, way)
                if "email" not in claims and (address := about.get("userinfo_endpoint")):
                    more = session.get(_safe(address), timeout=TIMEOUT)
                    more.raise_for_status()
                    told = more.json()
                    if told.get("sub") != claims["sub"]:
                        raise Refused("userinfo is about somebody else")
                    wanted = ("email", "email_verified")
                    claims = {**claims, **{name: told[name] for name in wanted if name in told}}
                return claims
        except AuthlibBaseError as error:
            raise Refused(type(error).__name__) from None
        except (requests.RequestException, ValueError, KeyError) as error:
            raise ProviderDown(type(error).__name__) from None

    def saw_factor(self, claims: Mapping[str, Any]) -> bool:
        """Whether the provider says that it asked for a second factor."""
        amr = claims.get("amr")
        said = {claims.get("acr"), *(amr if isinstance(amr, list) else ())}
        return bool({one for one in said if isinstance(one, str)} & self._factors)

    def sign_out_url(self) -> str | None:
        """Where somebody ends their session at the provider, if it has such a place.

        Raises:
            ProviderDown: the provider cannot be asked.
        """
        address = self._about().get("end_session_endpoint")
        if not address:
            return None
        back = {"client_id": self._client_id, "post_logout_redirect_uri": f"{self._ours}/desk/sign-in"}
        return f"{_safe(address)}{'&' if '?' in address else '?'}{urlencode(back)}"

    def subject(self, claims: Mapping[str, Any]) -> str:
        """The keyed hash by which somebody is known from their second sign-in on."""
        return self._cipher.find_hash("oidc", f"{self.issuer}\0{claims['sub']}")

    def _session(self, about: Mapping[str, Any]) -> OAuth2Session:
        methods = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        wanted = ("client_secret_basic", "client_secret_post") if self._secret else ("none",)
        return OAuth2Session(
            self._client_id,
            self._secret,
            scope="openid email profile",
            redirect_uri=f"{self._ours}/desk/sign-in/oidc/back",
            code_challenge_method="S256",
            token_endpoint_auth_method=next((m for m in wanted if m in methods), wanted[0]),
        )

    def _checked(self, about: Mapping[str, Any], token: Mapping[str, Any], way: Way) -> Mapping[str, Any]:
        supported = about.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(
            algorithms=[one for one in supported if one in ALGORITHMS], strict_check_header=False
        )
        raw = str(token.get("id_token") or "")
        try:
            try:
                opened = jwt.decode(raw, KeySet.import_key_set(self._key_set(about)), registry=registry)
            except (JoseError, ValueError):
                # Perhaps the keys were changed since.
                fresh = KeySet.import_key_set(self._key_set(about, fresh=True))
                opened = jwt.decode(raw, fresh, registry=registry)
            claims = CodeIDToken(
                opened.claims,
                opened.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "sub": {"essential": True},
                },
                {"nonce": way.nonce, "client_id": self._client_id, "access_token": token.get("access_token")},
            )
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError) as error:
            raise Refused(type(error).__name__) from None
        return dict(claims)

    def _about(self) -> Mapping[str, Any]:
        if self._known and self._known[0] > time.monotonic():
            return self._known[1]
        told = _fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != self.issuer:
            raise ProviderDown("speaks for another issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            _safe(told.get(name))
        self._known = (time.monotonic() + KEEP, told)
        return told

    def _key_set(self, about: Mapping[str, Any], *, fresh: bool = False) -> Any:
        if fresh or self._keys is None or self._keys[0] < time.monotonic():
            self._keys = (time.monotonic() + KEEP, _fetch(about["jwks_uri"]))
        return self._keys[1]


def provider_of(settings: Settings, cipher: Cipher) -> Provider | None:
    """The provider of these settings; None without an issuer."""
    return Provider(settings, cipher) if settings.oidc_issuer else None


# Pages ---------------------------------------------------------------------------------------------


def go(request: Request) -> Response:
    """Off to the provider; with ``?out=1`` to where its own session ends."""
    desk = request.app.state.desk
    if desk.provider is None:
        return RedirectResponse("/desk/sign-in", 303)
    target = safe_next(request.query_params.get("next"))
    try:
        if request.query_params.get("out"):
            return RedirectResponse(desk.provider.sign_out_url() or "/desk/sign-in", 303)
        url, cookie = desk.provider.begin(target)
    except ProviderDown as error:
        log.warning("oidc_down", reason=str(error))
        return _sorry(request, "oidc_down", 503, target)
    response = RedirectResponse(url, 303)
    # Not strict: the browser comes back from another site, and must bring it.
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=WAY_SECONDS,
        path="/desk/sign-in/oidc",
        secure=desk.core.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return response


def come_back(request: Request) -> Response:
    """Back from the provider: let in whoever we know, with a session, or one that awaits our factor."""
    desk = request.app.state.desk
    core: Core = desk.core
    if desk.provider is None:
        return RedirectResponse("/desk/sign-in", 303)
    asked = request.query_params
    target = "/desk/"
    try:
        way = desk.provider.way_of(request.cookies.get(COOKIE))
        target = safe_next(way.next)
        if not secrets.compare_digest(asked.get("state", "").encode(), way.state.encode()):
            raise Refused("another state")
        if not asked.get("code"):
            raise Refused("no code")
        claims = desk.provider.finish(way, asked["code"])
        with core.uow() as uow:
            token = _let_in(uow, desk.provider, claims, core.now())
            uow.commit()
    except ProviderDown as error:
        log.warning("oidc_down", reason=str(error))
        return _sorry(request, "oidc_down", 503, target)
    except Refused as error:
        log.warning("oidc_refused", reason=str(error))
        return _sorry(request, "oidc_refused", 401, target)
    if token is None:
        return _sorry(request, "oidc_unknown", 403, target)
    # A strict cookie does not travel on a redirect that another site began: the page leads on.
    page = desk.render(request, "oidc_in.html", next=target)
    page.delete_cookie(COOKIE, path="/desk/sign-in/oidc")
    return with_cookie(page, token, core.settings)


def _let_in(uow: UnitOfWork, provider: Provider, claims: Mapping[str, Any], now: datetime) -> str | None:
    """A token for whoever the claims are about; None when nobody of ours is."""
    known = provider.subject(claims)
    staff = uow.session.scalars(select(Staff).where(Staff.oidc_hash == known)).first()
    if staff is None:
        email = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(email, str):
            uow.audit(now, "nobody", "oidc_denied", why="not_verified")
            return None
        staff = uow.staff_by_sign_in(email)
        if staff is not None and staff.oidc_hash is None:
            staff.oidc_hash = known
            uow.audit(now, staff.id, "oidc_linked", subject=staff.id)
        elif staff is not None:
            uow.audit(now, "nobody", "oidc_denied", subject=staff.id, why="somebody_else")
            return None
    if staff is None or not staff.active:
        uow.audit(now, "nobody", "oidc_denied", why="not_ours")
        return None
    return let_in(uow, staff, now, "oidc", factor_elsewhere=provider.saw_factor(claims))


def _sorry(request: Request, problem: str, status: int, target: str) -> Response:
    page = request.app.state.desk.render(request, "sign_in.html", status, problem=problem, next=target)
    page.delete_cookie(COOKIE, path="/desk/sign-in/oidc")
    return page


def _fetch(address: str) -> Mapping[str, Any]:
    try:
        answer = requests.get(_safe(address), timeout=TIMEOUT, allow_redirects=False)
        answer.raise_for_status()
        told = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderDown(type(error).__name__) from None
    if not isinstance(told, dict):
        raise ProviderDown("not an object")
    return told


def _safe(address: object) -> str:
    """An address that may be asked: encrypted, or on this machine.

    Raises:
        ProviderDown: it is neither.
    """
    parts = urlsplit(str(address or ""))
    if parts.scheme == "https" or (parts.scheme, parts.hostname) in (
        ("http", "127.0.0.1"),
        ("http", "localhost"),
    ):
        return str(address)
    raise ProviderDown("an address that is not encrypted")
