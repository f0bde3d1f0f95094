"""Which authorities a deployment serves: ``EARSHOT_AREAS_SERVED``, as codes or names."""

from __future__ import annotations

from bot.areas.authorities import Authorities, Authority


class UnknownAuthority(Exception):
    """The setting names a body that data/areas does not know; the message names it and the remedy."""


def served(setting: str, authorities: Authorities) -> frozenset[str]:
    """The codes of the authorities that are served; empty means all of them.

    Args:
        setting: codes or names, separated by commas: ``E10000030, Hampshire``.

    Raises:
        UnknownAuthority: an entry is neither a code nor a name of an authority.
    """
    names = {
        name.casefold(): authority.code
        for authority in authorities
        for name in (authority.name, *authority.known_as)
    }
    codes = set()
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        known = authorities.authority(entry)
        code = known.code if known else names.get(entry.casefold())
        if code is None:
            raise UnknownAuthority(
                f"EARSHOT_AREAS_SERVED: {entry} is no authority of data/areas. Write its code or its name "
                "as it stands there."
            )
        codes.add(code)
    return frozenset(codes)


def serves(codes: frozenset[str], authority: Authority) -> bool:
    """Whether an authority is among those served."""
    return not codes or authority.code in codes
