"""GOV.UK Notify as far as alerts use it: it checks the real token, keeps what it was sent, and delivers."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SERVICE, SECRET = str(uuid.uuid4()), str(uuid.uuid4())
#: As Notify makes them: a name, the service, the secret.
API_KEY = f"earshot-tests-{SERVICE}-{SECRET}"
MAIL_TEMPLATE, SMS_TEMPLATE = str(uuid.uuid4()), str(uuid.uuid4())


@dataclass
class NotifyApi:
    """The service. ``down`` answers 503; ``becomes`` is the state that messages reach."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    down: bool = False
    becomes: str = "delivered"
    refused: int = 0
    lose_answers: int = 0  # so many messages are taken, and the answer never arrives

    @property
    def app(self) -> Starlette:
        """The service as an application."""
        return Starlette(
            routes=[
                Route("/v2/notifications/sms", self._send, methods=["POST"]),
                Route("/v2/notifications/email", self._send, methods=["POST"]),
                Route("/v2/notifications", self._list),
                Route("/v2/notifications/{id}", self._one),
            ]
        )

    async def _send(self, request: Request) -> Response:
        if problem := self._problem(request):
            return problem
        body = await request.json()
        wanted = "email_address" if request.url.path.endswith("email") else "phone_number"
        template = MAIL_TEMPLATE if wanted == "email_address" else SMS_TEMPLATE
        if not body.get(wanted) or body.get("template_id") != template:
            return _error(400, "ValidationError")
        one = {
            "id": str(uuid.uuid4()),
            "to": body[wanted],
            "reference": body.get("reference"),
            "personalisation": body["personalisation"],
            "status": "created",
        }
        self.sent.append(one)
        if self.lose_answers:
            self.lose_answers -= 1
            return _error(500, "Exception")
        return JSONResponse({"id": one["id"], "reference": one["reference"]}, 201)

    async def _list(self, request: Request) -> Response:
        if problem := self._problem(request):
            return problem
        wanted = request.query_params.get("reference")
        found = [one for one in self.sent if wanted in (None, one["reference"])]
        return JSONResponse({"notifications": found, "links": {"current": str(request.url)}})

    async def _one(self, request: Request) -> Response:
        if problem := self._problem(request):
            return problem
        for one in self.sent:
            if one["id"] == request.path_params["id"]:
                one["status"] = self.becomes
                return JSONResponse(one)
        return _error(404, "NoResultFound")

    def _problem(self, request: Request) -> Response | None:
        if self.down:
            return _error(503, "ServiceUnavailable")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_iat": False})
        except jwt.PyJWTError:
            claims = {}
        if scheme != "Bearer" or claims.get("iss") != SERVICE or abs(time.time() - claims["iat"]) > 30:
            self.refused += 1
            return _error(403, "AuthError")
        return None


def _error(status: int, name: str) -> Response:
    return JSONResponse({"status_code": status, "errors": [{"error": name, "message": name}]}, status)
