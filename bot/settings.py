"""Settings, read once from the environment into a frozen object. A missing secret refuses to start.

Every setting is an environment variable named in :class:`Settings`; ``make run`` writes the secrets of
a demo to ``var/secrets.env`` on its first start. Secrets hide in ``repr``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pydantic import BaseSettings, Field, SecretStr, ValidationError, validator

#: The checkout: ``data/``, ``config.yml`` and ``domain.yml`` are found from here.
ROOT = Path(__file__).resolve().parents[1]


#: What a reader who does not program calls a type.
_TRUTH = "true or false"
_PLAIN = ((bool, _TRUTH), (int, "whole number"), (float, "number"), (str, "text"), (SecretStr, "text"))


def var_dir() -> Path:
    """Where a demo keeps its database and secrets: ``EARSHOT_VAR``, or ``var`` in the checkout."""
    return Path(os.environ.get("EARSHOT_VAR", ROOT / "var"))


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what to do."""


class Settings(BaseSettings):
    """What a deployment decides. Names are read in capitals with ``EARSHOT_`` before them."""

    class Config:
        env_prefix = "EARSHOT_"
        frozen = True
        extra = "forbid"

    mode: Literal["demo", "production"] = Field("demo", description="production refuses unsafe settings")
    body_name: str = Field("Earshot demo", description="the council, trust or charity that runs this")
    database_url: str = Field(
        default_factory=lambda: f"sqlite:///{var_dir() / 'earshot.db'}",
        description="SQLAlchemy URL: SQLite or PostgreSQL",
    )
    keys: SecretStr = Field(..., description="Fernet keys, newest first, separated by commas")
    lookup_key: SecretStr = Field(..., description="secret for keyed hashes; changing it orphans codes")

    areas_served: str = Field(
        "", description="codes or names of the authorities served, separated by commas; empty: all"
    )

    host: str = Field("127.0.0.1", description="address the gateway listens on")
    port: int = Field(8080, description="port the gateway listens on")
    public_url: str = Field("", description="address staff and people use; default from host and port")
    exit_url: str = Field("https://www.bbc.co.uk/weather", description="where Leave quickly goes")
    page_title: str = Field("Notes", description="neutral title of the chat's browser tab")
    theme_colour: str = Field("", description="#rrggbb: buttons and marks; contrast is checked")
    theme_colour_dark: str = Field("", description="the same on a dark page; empty: lightened from it")
    logo: str = Field("", description="path of an SVG or PNG picture of the body's own")
    welcome: str = Field("", max_length=300, description="a sentence of the body's own, above the doors")
    embed_origins: str = Field(
        "", description="websites that may show the chat in a frame, separated by commas; empty: none"
    )
    socketio: bool = Field(False, description="true: Rasa's socket.io protocol for Rasa's own widgets")
    socketio_origins: str = Field("", description="websites whose widgets may use it, separated by commas")
    secure_cookies: bool = Field(False, description="true behind TLS; production insists")

    trusted_proxies: str = Field(
        "127.0.0.1", description="addresses or networks of the proxies in front, separated by commas"
    )

    proof_of_work: Literal["attack", "always", "never"] = Field(
        "attack", description="when a new chat costs a browser some work, or a few seconds"
    )
    new_chats: int = Field(120, ge=1, description="new chats a minute from which on it counts as an attack")

    rasa_url: str = Field("http://127.0.0.1:5005", description="the Rasa server, loopback only")
    actions_url: str = Field("http://127.0.0.1:5055", description="the action server, loopback only")
    rasa_timeout: float = Field(2.5, description="seconds before the floor speaks instead of Rasa")
    rasa_timeout_at_risk: float = Field(0.9, description="the same when the message tells of harm")

    deadline_immediate: int = Field(120, description="seconds to accept an immediate handover")
    deadline_high: int = Field(600, description="seconds to accept a high handover")
    deadline_message: int = Field(3_600, description="seconds to accept a message passed on with consent")
    deadline_request: int = Field(86_400, description="seconds to accept an early-help or concern report")
    silence_after_accept: int = Field(900, description="seconds an accepted case may stay without a word")

    staff_session_hours: int = Field(12, description="hours until staff sign in again")
    staff_idle_minutes: int = Field(60, description="minutes until staff who do nothing sign in again")
    staff_sessions: int = Field(5, ge=1, description="browsers one person may be signed in with at once")

    oidc_issuer: str = Field("", description="the council's OpenID Connect provider; empty means none")
    oidc_client_id: str = Field("", description="our name at that provider")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="our secret at that provider")
    oidc_second_factor: str = Field(
        "mfa", description="amr or acr values that count as a second factor, separated by commas"
    )

    notify_api_key: SecretStr = Field(SecretStr(""), description="of GOV.UK Notify; empty means none")
    notify_base_url: str = Field(
        "https://api.notifications.service.gov.uk", description="address of GOV.UK Notify"
    )
    notify_mail_template: str = Field("", description="Notify's id of the template for mail")
    notify_sms_template: str = Field("", description="Notify's id of the template for text messages")

    telegram_bot_token: SecretStr = Field(
        SecretStr(""), env="TELEGRAM_BOT_TOKEN", description="from BotFather"
    )
    telegram_bot_name: str = Field(
        "", env="TELEGRAM_BOT_NAME", description="the bot's user name, for links on posters"
    )
    telegram_api_base_url: str = Field(
        "", env="TELEGRAM_API_BASE_URL", description="Bot API address; empty means Telegram's own"
    )
    telegram_webhook_secret: SecretStr = Field(
        SecretStr(""),
        env="TELEGRAM_WEBHOOK_SECRET",
        description="Telegram pushes to the public address and proves itself by this; empty means polling",
    )
    backup_folder: str = Field(
        "", description="where backups are written; earshot doctor looks there for the newest"
    )
    allow_unsigned_wording: bool = Field(
        False, description="production starts although safety wording is unsigned; say so in so many words"
    )

    @validator("keys")
    def _keys_are_fernet_keys(cls, value: SecretStr) -> SecretStr:
        from cryptography.fernet import Fernet

        keys = [key.strip() for key in value.get_secret_value().split(",") if key.strip()]
        if not keys:
            raise ValueError("holds no key: 'make run' makes one for a demo")
        for key in keys:
            try:
                Fernet(key)
            except ValueError:
                # from None: the original error would quote the key.
                raise ValueError("holds something that is not a Fernet key") from None
        return value

    @validator("lookup_key")
    def _lookup_key_is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("is shorter than 32 characters")
        return value

    @validator("embed_origins", "socketio_origins")
    def _origins_are_origins(cls, value: str) -> str:
        for origin in _listed(value):
            if not re.fullmatch(r"https://[a-z0-9.-]+(:\d+)?|http://(localhost|127\.0\.0\.1)(:\d+)?", origin):
                raise ValueError("takes addresses such as https://www.school.example, without a path")
        return value

    @validator("telegram_bot_name")
    def _bot_name_is_a_user_name(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{4,31}", value):
            raise ValueError("must be the bot's user name, without @ (5 to 32 letters, digits or _)")
        return value

    @validator("oidc_issuer")
    def _issuer_is_safe(cls, value: str) -> str:
        if value and not re.match(r"https://|http://(127\.0\.0\.1|localhost)(:\d+)?(/|$)", value):
            raise ValueError("must begin with https://")
        return value

    @validator("oidc_client_id")
    def _issuer_knows_us(cls, value: str, values: dict[str, object]) -> str:
        if values.get("oidc_issuer") and not value:
            raise ValueError("is needed with EARSHOT_OIDC_ISSUER")
        return value

    @validator("notify_api_key")
    def _notify_key_has_its_parts(cls, value: SecretStr) -> SecretStr:
        # The name of the key, the id of the service and the secret, joined by hyphens.
        uuid = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
        if (key := value.get_secret_value()) and not re.fullmatch(rf".+-{uuid}-{uuid}", key):
            raise ValueError("is not a key of GOV.UK Notify: it ends with two ids")
        return value

    @validator("trusted_proxies")
    def _proxies_are_addresses(cls, value: str) -> str:
        for one in _listed(value):
            try:
                ip_network(one)
            except ValueError:
                if one != "*":
                    raise ValueError("takes addresses such as 10.0.0.5 or 10.0.0.0/8") from None
        return ",".join(_listed(value))

    @validator("telegram_webhook_secret")
    def _webhook_secret_fits_the_header(cls, value: SecretStr, values: dict[str, object]) -> SecretStr:
        if secret := value.get_secret_value():
            if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", secret):
                raise ValueError("must be 16 to 256 letters, digits, _ or - (the Bot API takes no others)")
            if not str(values.get("public_url", "")).startswith("https://"):
                raise ValueError("needs EARSHOT_PUBLIC_URL to begin with https://")
        return value

    @property
    def second_factor_required(self) -> bool:
        """Whether a password alone does not open the desk."""
        return self.mode == "production"

    @property
    def oidc_factors(self) -> frozenset[str]:
        """What the council's provider says when it asked for a second factor."""
        return frozenset(one.strip() for one in self.oidc_second_factor.split(",") if one.strip())

    @property
    def url(self) -> str:
        """The public address without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def embedding_sites(self) -> tuple[str, ...]:
        """Origins of the websites that may show the chat in a frame."""
        return _listed(self.embed_origins)

    @property
    def widget_sites(self) -> tuple[str, ...]:
        """Origins of the websites whose socket.io widgets may talk to us."""
        return _listed(self.socketio_origins)

    @property
    def fernet_keys(self) -> tuple[str, ...]:
        """Fernet keys, the one to seal with first."""
        return tuple(key.strip() for key in self.keys.get_secret_value().split(",") if key.strip())


class Described(NamedTuple):
    """One setting, as a reference tells it. ``default`` of a secret is empty; "required" has none."""

    variable: str
    type: str
    default: str
    secret: bool
    meaning: str


def variables() -> dict[str, str]:
    """Environment variable -> field of :class:`Settings`."""
    return {_env_name(name): name for name in Settings.__fields__}


def described() -> list[Described]:
    """Every setting, in the order of :class:`Settings`."""
    found = []
    for name, field in Settings.__fields__.items():
        kind, secret = field.outer_type_, field.outer_type_ is SecretStr
        choices = get_args(kind)
        plain = next((word for base, word in _PLAIN if isinstance(kind, type) and issubclass(kind, base)), "")
        default = "" if secret else str(field.get_default())
        if plain == _TRUTH:
            default = default.lower()
        if name == "database_url":
            default = "sqlite:///var/earshot.db in the checkout"
        found.append(
            Described(
                variable=_env_name(name),
                type=" or ".join(choices) or plain,
                default="required" if field.required else default,
                secret=secret,
                meaning=field.field_info.description or "",
            )
        )
    return found


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, with ``var/secrets.env`` beneath it.

    Raises:
        SettingsError: a setting is missing or wrong; names each, never its value.
    """
    merged = {**read_secrets_file(), **(os.environ if environ is None else environ)}
    values: dict[str, str] = {}
    for name, field in Settings.__fields__.items():
        for env_name in field.field_info.extra["env_names"]:
            for key, value in merged.items():
                if key.lower() == env_name.lower():
                    values[name] = value
    try:
        return Settings.parse_obj(values)
    except ValidationError as error:
        problems = "; ".join(f"{_env_name(str(item['loc'][0]))} {item['msg']}" for item in error.errors())
        raise SettingsError(
            f"Settings: {problems}. Set them in the environment, or run 'make run' for a demo."
        ) from None


def secrets_file() -> Path:
    """Where a demo keeps its generated secrets (mode 0600, outside git)."""
    return var_dir() / "secrets.env"


def read_secrets_file() -> dict[str, str]:
    """The secrets a demo generated for itself, if it did."""
    path = secrets_file()
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _listed(value: str) -> tuple[str, ...]:
    return tuple(one.strip().rstrip("/").lower() for one in value.split(",") if one.strip())


def _env_name(field: str) -> str:
    return min(Settings.__fields__[field].field_info.extra["env_names"]).upper()
