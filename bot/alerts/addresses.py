"""The addresses of alerts: Apprise URLs, and ``notify:`` with a phone number or e-mail address.

``notify:07700 900123`` is a text message by GOV.UK Notify, ``notify:sam@example.org`` a mail by it.
"""

from __future__ import annotations

import re

import apprise

#: Before an address that GOV.UK Notify sends to.
NOTIFY = "notify:"
NOTIFY_SMS, NOTIFY_MAIL = "notify_sms", "notify_mail"

_PHONE = re.compile(r"\+?[\d ()-]{7,20}")
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


def notify_target(address: str) -> str:
    """The phone number or e-mail address of a ``notify:`` address."""
    return address[len(NOTIFY) :].strip()


def is_notify(address: str) -> bool:
    """Whether GOV.UK Notify sends to this address."""
    return address.casefold().startswith(NOTIFY)


def is_address(address: str) -> bool:
    """Whether alerts can be sent to this address, as far as it tells by itself."""
    if is_notify(address):
        target = notify_target(address)
        return bool(_MAIL.fullmatch(target) or _PHONE.fullmatch(target))
    return apprise.Apprise.instantiate(address, suppress_exceptions=True) is not None


def kind_of(address: str) -> str:
    """The kind of an address, as it is shown and recorded: never the address itself."""
    if is_notify(address):
        return NOTIFY_MAIL if "@" in address else NOTIFY_SMS
    scheme, found, _ = address.partition("://")
    kind = re.sub(r"[^a-z0-9]", "", scheme.casefold())[:16]
    return kind if found and kind else "unknown"
