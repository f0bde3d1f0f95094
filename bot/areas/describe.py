"""An answer for a program (``GET /api/areas``) and in words for a person (``data/responses/areas.yml``)."""

from __future__ import annotations

from typing import Any

from bot.areas.authorities import Area, Authority
from bot.areas.finder import Answer, AnswerKind

#: More authorities than this are not a choice but a list.
_FEW = 6


def describe(answer: Answer) -> dict[str, Any]:
    """The answer as plain JSON values, every key always there.

    ``authority``, ``district`` and ``nation`` are those of the likeliest area; ``settled`` says whether they
    can be used without asking the person. ``position`` is in WGS 84 degrees.
    """
    main = answer.areas[0] if answer.areas else None
    return {
        "kind": answer.kind.value,
        "postcode": answer.postcode or None,
        "corrected": answer.corrected,
        "settled": answer.settled is not None,
        "nation": main.nation if main else None,
        "district": _district(main) if main else None,
        "authority": _authority(main.authority) if main else None,
        "areas": [
            {
                "name": answer.names[number] if answer.names else _name(area),
                "nation": area.nation,
                "district": _district(area),
                "authority": _authority(area.authority),
                "alternative": _authority(area.alternative) if area.alternative else None,
            }
            for number, area in enumerate(answer.areas)
        ],
        "position": (
            {"latitude": answer.position.latitude, "longitude": answer.position.longitude}
            if answer.position
            else None
        ),
        "island": answer.island or None,
    }


def words(answer: Answer) -> tuple[str, dict[str, str]]:
    """Which response of ``data/responses/areas.yml`` says the answer, and the values it needs."""
    bodies = [authority.name for authority in answer.authorities]
    if answer.kind is AnswerKind.CROWN_DEPENDENCY:
        return "utter_area_crown_dependency", {"island": answer.island}
    if not bodies:
        return f"utter_area_{answer.kind.value}", {}
    if answer.kind is AnswerKind.UNKNOWN:
        return "utter_area_unknown_nearby", {"authority": bodies[0]}
    if len(bodies) == 1:
        name = "utter_area_corrected" if answer.corrected else "utter_area_found"
        values = {"authority": bodies[0]}
        if answer.corrected:
            values["place"] = answer.postcode or answer.names[0]
        return name, values
    if answer.kind is AnswerKind.FOUND:
        return "utter_area_border", {"authority": bodies[0], "alternative": bodies[1]}
    if len(bodies) <= _FEW:
        return "utter_area_which", {"authorities": ", ".join(bodies)}
    return "utter_area_too_wide", {}


def _name(area: Area) -> str:
    return area.district.name if area.district else area.authority.name


def _district(area: Area) -> dict[str, str] | None:
    return {"code": area.district.code, "name": area.district.name} if area.district else None


def _authority(authority: Authority) -> dict[str, Any]:
    door = authority.front_door
    return {
        "code": authority.code,
        "name": authority.name,
        "kind": authority.kind,
        "report": {"title": door.title, "web": door.web or None, "helpline": door.helpline or None},
    }
