"""People and hours for a desk of several areas, sign-in with a second factor, the audit log as a chain."""

import json
from datetime import datetime, timezone

import sqlalchemy as sa
from alembic import op

from bot.store.audit import FIRST, content_of, hash_after, seal_of

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _people()
    _sign_in()
    _chain_audit()


def _people() -> None:
    op.create_table(
        "area",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("nation", sa.String(length=3), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO area (id, name, nation) SELECT DISTINCT area, area, 'ENG' FROM place")
    op.add_column("place", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("staff", sa.Column("phone", sa.LargeBinary(), nullable=True))
    op.add_column("staff", sa.Column("areas", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("staff", sa.Column("nation", sa.String(length=3), nullable=True))
    op.add_column("staff", sa.Column("off_duty_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("shift", sa.Column("first_day", sa.Date(), nullable=True))
    op.add_column("shift", sa.Column("last_day", sa.Date(), nullable=True))
    op.create_table(
        "leave",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_leave_staff_id"), "leave", ["staff_id"], unique=False)


def _sign_in() -> None:
    op.add_column("staff", sa.Column("totp_secret", sa.LargeBinary(), nullable=True))
    op.add_column("staff", sa.Column("totp_step", sa.Integer(), nullable=True))
    op.add_column("staff_session", sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("staff_session", sa.Column("secret", sa.LargeBinary(), nullable=True))
    op.add_column(
        "staff_session", sa.Column("resets_factor", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "recovery_code",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"]),
        sa.PrimaryKeyConstraint("code_hash"),
    )
    op.create_index(op.f("ix_recovery_code_staff_id"), "recovery_code", ["staff_id"], unique=False)
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_sign_in_attempt_account"), "sign_in_attempt", ["account"], unique=False)
    op.create_index(op.f("ix_sign_in_attempt_at"), "sign_in_attempt", ["at"], unique=False)


def _chain_audit() -> None:
    """Chain the entries that are there. The triggers that forbid changes stand aside for this one time."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        op.execute("DROP TRIGGER audit_no_update")
        op.execute("DROP TRIGGER audit_no_delete")
    else:
        op.execute("ALTER TABLE audit DISABLE TRIGGER audit_append_only")
    op.add_column("audit", sa.Column("subject", sa.String(length=64), nullable=True))
    op.add_column("audit", sa.Column("prev_hash", sa.String(length=64), nullable=True))
    op.add_column("audit", sa.Column("hash", sa.String(length=64), nullable=True))
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    entries, last = _chain_what_is_there()
    with op.batch_alter_table("audit") as batch:
        batch.alter_column("prev_hash", existing_type=sa.String(length=64), nullable=False)
        batch.alter_column("hash", existing_type=sa.String(length=64), nullable=False)
        batch.create_unique_constraint("audit_prev_hash_key", ["prev_hash"])
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_index("ix_audit_actor_at", "audit", ["actor", "at"], unique=False)
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    seal = seal_of(op.get_bind().dialect.cipher, entries, last)
    op.get_bind().execute(
        sa.text("INSERT INTO audit_head (id, entries, hash, seal) VALUES (1, :entries, :last, :seal)"),
        {"entries": entries, "last": last, "seal": seal},
    )
    if sqlite:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute("ALTER TABLE audit ENABLE TRIGGER audit_append_only")
    op.execute(
        "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
    )


def _chain_what_is_there() -> tuple[int, str]:
    bind = op.get_bind()
    audit = sa.table(
        "audit",
        sa.column("id", sa.Integer),
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("actor", sa.String),
        sa.column("action", sa.String),
        sa.column("handover_id", sa.Integer),
        sa.column("conversation_id", sa.String),
        sa.column("detail", sa.JSON),
        sa.column("prev_hash", sa.String),
        sa.column("hash", sa.String),
    )
    count, prev, after = 0, FIRST, 0
    while True:
        columns = [column for column in audit.c if column.name not in ("prev_hash", "hash")]
        piece = bind.execute(
            sa.select(*columns).where(audit.c.id > after).order_by(audit.c.id).limit(500)
        ).all()
        for row in piece:
            content = content_of({**row._mapping, "at": _utc(row.at), "detail": _plain(row.detail)})
            mine = hash_after(prev, content)
            bind.execute(audit.update().where(audit.c.id == row.id).values(prev_hash=prev, hash=mine))
            prev, count, after = mine, count + 1, row.id
        if len(piece) < 500:
            return count, prev


def _utc(at: datetime) -> datetime:
    """SQLite forgets the zone."""
    return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at


def _plain(detail: object) -> object:
    return json.loads(json.dumps(detail or {}))
