"""GOV.UK Notify: text messages and mail, and what became of them.

Notify keeps the words in its own templates; ours give ``((level))``, ``((reference))`` and ``((link))``.
An alert is sent under a reference of its own: before a second try Notify is asked whether the first one
arrived there, so that a gateway that died in between sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import requests
from notifications_python_client.errors import HTTPError, InvalidResponse
from notifications_python_client.notifications import NotificationsAPIClient

from bot.alerts.addresses import NOTIFY_MAIL, kind_of, notify_target
from bot.settings import Settings

#: Seconds that a request may take.
TIMEOUT = 10
#: Notify's words for what cannot arrive any more.
#: Source: https://docs.notifications.service.gov.uk/python.html#delivery-receipts
FAILED = frozenset({"permanent-failure", "temporary-failure", "technical-failure"})
DELIVERED = "delivered"


class NotifyDown(Exception):
    """Notify did not take a message, or cannot be asked."""


class Notify:
    """A client of GOV.UK Notify. Safe to use from several threads."""

    def __init__(self, api_key: str, base_url: str, mail_template: str, sms_template: str) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._templates = {True: mail_template, False: sms_template}

    @classmethod
    def of(cls, settings: Settings) -> Notify | None:
        """The client of these settings; None without a key."""
        key = settings.notify_api_key.get_secret_value()
        if not key:
            return None
        mail, sms = settings.notify_mail_template, settings.notify_sms_template
        return cls(key, settings.notify_base_url, mail, sms)

    def send(self, address: str, values: Mapping[str, str], key: str, *, again: bool = False) -> str:
        """Send to a ``notify:`` address; returns Notify's id of the message.

        Raises:
            NotifyDown: it was not taken.
        """
        is_mail = kind_of(address) == NOTIFY_MAIL
        reference = f"{key}-{'mail' if is_mail else 'sms'}"
        if again and (known := self._known(reference)):
            return known
        if not self._templates[is_mail]:
            raise NotifyDown("no template for this kind of message")
        client, target = self._client(), notify_target(address)
        try:
            if is_mail:
                sent = client.send_email_notification(
                    target, self._templates[True], personalisation=dict(values), reference=reference
                )
            else:
                sent = client.send_sms_notification(
                    target, self._templates[False], personalisation=dict(values), reference=reference
                )
            return str(sent["id"])
        except (HTTPError, InvalidResponse, requests.RequestException, KeyError, TypeError) as error:
            raise NotifyDown(type(error).__name__) from None  # its text may quote the address

    def status(self, receipt: str) -> str:
        """What became of a message: one of Notify's words.

        Raises:
            NotifyDown: it cannot be asked now.
        """
        try:
            return str(self._client().get_notification_by_id(receipt)["status"])
        except (HTTPError, InvalidResponse, requests.RequestException, KeyError, TypeError) as error:
            raise NotifyDown(type(error).__name__) from None

    def _known(self, reference: str) -> str | None:
        """The id of a message that an earlier try sent."""
        try:
            found = self._client().get_all_notifications(reference=reference)["notifications"]
        except (HTTPError, InvalidResponse, requests.RequestException, KeyError, TypeError) as error:
            raise NotifyDown(type(error).__name__) from None
        return next((str(one["id"]) for one in found if one.get("status") not in FAILED), None)

    def _client(self) -> NotificationsAPIClient:
        # One for each request: the library's client is not safe to share between threads.
        return NotificationsAPIClient(self._api_key, base_url=self._base_url, timeout=TIMEOUT)
