"""Checks from outside: the public address as a browser meets it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from bot.bootstrap import Core
from bot.operate.doctor.data import CLOCK
from bot.operate.doctor.finding import Finding

PATIENCE = 10.0
#: A certificate that ends sooner was not renewed as it should have been.
CERTIFICATE = timedelta(days=14)


def public_address(house: Core) -> Iterator[Finding]:
    """Our gateway answers there, over a TLS that browsers trust, with the proxy passing on what it must."""
    if not house.settings.public_url:
        return
    url = house.settings.url
    with httpx.Client(verify=ssl.create_default_context(), timeout=PATIENCE, trust_env=False) as client:
        try:
            alive = client.get(f"{url}/healthz")
            # A page of ours, as a browser leaves it: refused when the proxy puts another Host in its place.
            left = client.post(f"{url}/api/leave", headers={"Origin": url})
        except httpx.HTTPError as error:
            yield Finding(
                f"The public address cannot be reached from here ({type(error).__name__}).",
                "Is the proxy running, does its certificate fit, does the name lead here?",
            )
            return
    if alive.status_code != 200 or "alive" not in alive.text:
        yield Finding(
            "Something else than Earshot answers at the public address.", "See deploy/ for the proxy."
        )
        return
    if left.status_code == 403:
        yield Finding(
            "The proxy does not pass the Host header on: every message from the page is refused.",
            "nginx: proxy_set_header Host $host. Caddy does it by itself.",
        )
    if house.settings.secure_cookies and "strict-transport-security" not in alive.headers:
        yield Finding(
            "The proxy takes Earshot's security headers away.", "See deploy/ for one that does not."
        )
    if "date" in alive.headers and abs(parsedate_to_datetime(alive.headers["date"]) - house.now()) > CLOCK:
        yield Finding("The clocks of this machine and of the proxy differ.", "Set both by NTP.")


def certificate(house: Core) -> Iterator[Finding]:
    """The certificate is good for some time yet."""
    address = urlsplit(house.settings.public_url)
    if address.scheme != "https" or not address.hostname:
        return
    ends = certificate_ends(address.hostname, address.port or 443)
    if ends and ends - house.now() < CERTIFICATE:
        days = (ends - house.now()).days
        yield Finding(
            f"The certificate of the public address ends in {days} days.",
            "Renew it, and see why it was not by itself.",
        )


def certificate_ends(host: str, port: int) -> datetime | None:
    """When the certificate that is shown there ends; None when none that is trusted is shown."""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE) as line:
            with ssl.create_default_context().wrap_socket(line, server_hostname=host) as secured:
                shown = secured.getpeercert()
    except OSError:
        return None
    return (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), timezone.utc) if shown else None
    )
