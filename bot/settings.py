"""Settings, read once from the environment into a frozen object. A missing secret refuses to start.

Every setting is an environment variable named in :class:`Settings`; ``make run`` writes the secrets of
a demo to ``var/secrets.env`` on its first start. Secrets hide in ``repr``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseSettings, Field, SecretStr, ValidationError, validator

#: The checkout: ``data/``, ``config.yml`` and ``domain.yml`` are found from here.
ROOT = Path(__file__).resolve().parents[1]


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
    secure_cookies: bool = Field(False, description="true behind TLS; production insists")

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

    telegram_bot_token: SecretStr = Field(
        SecretStr(""), env="TELEGRAM_BOT_TOKEN", description="from BotFather"
    )
    telegram_api_base_url: str = Field(
        "", env="TELEGRAM_API_BASE_URL", description="Bot API address; empty means Telegram's own"
    )
    telegram_webhook_secret: SecretStr = Field(
        SecretStr(""),
        env="TELEGRAM_WEBHOOK_SECRET",
        description="Telegram pushes to the public address and proves itself by this; empty means polling",
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
    def url(self) -> str:
        """The public address without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def fernet_keys(self) -> tuple[str, ...]:
        """Fernet keys, the one to seal with first."""
        return tuple(key.strip() for key in self.keys.get_secret_value().split(",") if key.strip())


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


def _env_name(field: str) -> str:
    return min(Settings.__fields__[field].field_info.extra["env_names"]).upper()
