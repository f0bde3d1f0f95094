"""The return code until it was shown again, when the person came back, and what they wish."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversation", sa.Column("code", sa.LargeBinary(), nullable=True))
    op.add_column("conversation", sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("conversation", sa.Column("wishes", sa.LargeBinary(), nullable=True))
