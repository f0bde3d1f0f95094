"""The published description and the routes say the same; the fuzzing holds their answers against it."""

from __future__ import annotations

import json

import schemathesis
from starlette.routing import Route

from bot.channels.openapi import description


def test_every_public_route_is_described_and_every_description_has_a_route(gateway):
    there = {
        (method.lower(), route.path)
        for route in gateway._app.routes
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    told = {
        (method, path)
        for path, item in description()["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert told == there and len(there) > 35


def test_it_is_published_and_is_openapi(gateway):
    answer = gateway("GET", "/openapi.json", {"origin": "https://other.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    schemathesis.openapi.from_dict(json.loads(answer.body)).validate()


def test_every_name_in_it_is_a_word_and_not_what_yaml_takes_for_yes(gateway):
    def look(value: object) -> None:
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value), list(value)
            required = value.get("required")
            assert not isinstance(required, list) or all(isinstance(name, str) for name in required)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            look(inner)

    look(description())
