"""The four doors: for whom somebody comes, and what each sends to Rasa."""

from __future__ import annotations

from bot.risk.taxonomy import About

#: What each door sends to Rasa, and the names under which outside programs may ask for it.
DOORS = {
    About.SELF: ("/door_me", ("me", "self", "young_person", "child")),
    About.FRIEND: ("/door_friend", ("friend",)),
    About.OWN_CHILD: ("/door_parent", ("parent", "carer", "parent_or_carer", "own_child")),
    About.OTHER_CHILD: ("/door_concern", ("concern", "worried", "public", "other_child")),
}


class UnknownSpeaker(ValueError):
    """No door has this name."""


def door_of(speaker: str) -> About:
    """The door that a speaker's name means.

    Raises:
        UnknownSpeaker: no door has this name.
    """
    wanted = speaker.strip().casefold()
    for about, (_, names) in DOORS.items():
        if wanted in names:
            return about
    raise UnknownSpeaker(", ".join(names[0] for _, names in DOORS.values()))
