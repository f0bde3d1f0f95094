"""What a close sets going: words for the person, what came of it for colleagues, the offer of check-ins."""

from __future__ import annotations

from datetime import datetime

from bot import transcript
from bot.handover import check_ins, deadlines
from bot.handover.states import CONCERN_REPORT
from bot.risk.taxonomy import About
from bot.store.aftercare import held_before
from bot.store.models import Conversation, Handover
from bot.store.uow import UnitOfWork


def outcome_response(handover: Handover, conversation: Conversation) -> str:
    """The response that brings the outcome: whoever reported about a child is told what may be told."""
    reported = handover.kind == CONCERN_REPORT or conversation.about == About.OTHER_CHILD.value
    return "utter_outcome_concern" if reported else "utter_outcome"


def tell(
    uow: UnitOfWork,
    handover: Handover,
    conversation: Conversation,
    staff_id: str,
    now: datetime,
    *,
    feedback: str = "",
    offer_check_ins: bool = False,
) -> None:
    """Tell the person the outcome and whoever was part of it that there is one; offer check-ins."""
    name = uow.staff_member(staff_id).name
    words = outcome_response(handover, conversation)
    transcript.say(uow, conversation, words, now, name=name, outcome=handover.outcome)
    handover.feedback = feedback.strip() or None
    others = involved(uow, handover, conversation, but=staff_id)
    # A safe adult to whom it was handed on may read what became of it, as whoever was asked at first.
    handover.routed_to = sorted({*handover.routed_to, *others})
    deadlines.alert(uow, handover, others, now, "outcome")
    if offer_check_ins:
        check_ins.offer(uow, handover, conversation, now)


def involved(
    uow: UnitOfWork, handover: Handover, conversation: Conversation, *, but: str | None = None
) -> list[str]:
    """Who had the case before, and the safe adult the person chose, if it came to them."""
    found = set(held_before(uow, handover.id))
    if conversation.safe_adult_id in handover.routed_to:
        found.add(conversation.safe_adult_id)
    staff = (uow.staff_member(one) for one in found - {but})
    return sorted(one.id for one in staff if one and one.active)
