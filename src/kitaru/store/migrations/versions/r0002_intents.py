"""Intents: attempts of effects that were about to start."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "intents",
        sa.Column("exec_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.Double[float](), nullable=False),
        sa.PrimaryKeyConstraint("exec_id", "call_id", "attempt"),
    )
