"""Closing the loop: check-ins, feedback, abuse of the service, sign-in by a council's own directory."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _alerts()
    _oidc()
    op.add_column("handover", sa.Column("feedback", sa.LargeBinary(), nullable=True))
    op.add_column("conversation", sa.Column("check_ins", sa.String(length=8), nullable=True))
    op.add_column("message", sa.Column("held", sa.String(length=8), nullable=True))
    op.create_table(
        "check_in",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("handover_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=8), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(length=12), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"]),
        sa.ForeignKeyConstraint(["handover_id"], ["handover.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("handover_id", "step"),
    )
    op.create_index(op.f("ix_check_in_conversation_id"), "check_in", ["conversation_id"], unique=False)
    op.create_index("ix_check_in_due", "check_in", ["done_at", "due_at"], unique=False)
    op.create_table(
        "conduct",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("handover_id", sa.Integer(), nullable=False),
        sa.Column("measure", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("needs_lead", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("confirmed_by", sa.String(length=64), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"]),
        sa.ForeignKeyConstraint(["handover_id"], ["handover.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_conduct_conversation_id"), "conduct", ["conversation_id"], unique=False)


def _alerts() -> None:
    op.add_column("alert", sa.Column("claimed_by", sa.String(length=64), nullable=True))
    op.add_column("alert", sa.Column("took", sa.JSON(), nullable=True))
    op.add_column("alert", sa.Column("receipts", sa.JSON(), nullable=True))
    op.add_column("alert", sa.Column("check_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert", sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True))


def _oidc() -> None:
    op.add_column("staff", sa.Column("oidc_hash", sa.String(length=64), nullable=True))
    op.create_index("uq_staff_oidc", "staff", ["oidc_hash"], unique=True)
    op.add_column(
        "staff_session",
        sa.Column("factor_elsewhere", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
