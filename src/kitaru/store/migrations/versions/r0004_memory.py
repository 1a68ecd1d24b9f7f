"""Versioned memory, its audit log, and its full-text index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _make_tables()
    _make_audit()
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE memory_text USING fts5(body)")
    else:
        op.execute("CREATE TABLE memory_text (rowid BIGINT PRIMARY KEY, body TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX memory_text_body ON memory_text USING gin (body)")


def _make_tables() -> None:
    op.create_table(
        "memory_scopes",
        sa.Column("scope_id", _ROW_ID, sa.Identity(), primary_key=True),
        sa.Column("scope_type", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("scope_type", "scope"),
    )
    op.create_table(
        "memory_keys",
        sa.Column("key_id", _ROW_ID, sa.Identity(), primary_key=True),
        sa.Column("scope_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("scope_id", "name"),
    )
    op.create_table(
        "memory_versions",
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text()),
        sa.Column("codec", sa.Text()),
        sa.Column("size", sa.BigInteger()),
        sa.Column("type", sa.Text()),
        sa.Column("media_type", sa.Text()),
        sa.Column("data", sa.LargeBinary()),
        sa.Column("preview", sa.Text()),
        sa.Column("location", sa.Text()),
        sa.Column("exec_id", sa.Text()),
        sa.Column("call_id", sa.Text()),
        sa.Column("flow_id", sa.Text()),
        sa.Column("flow_name", sa.Text()),
        sa.Column("created_at", sa.Double[float](), nullable=False),
        sa.Column("purged", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("key_id", "version"),
    )
    written = sa.text("exec_id IS NOT NULL")
    op.create_index(
        "memory_by_execution",
        "memory_versions",
        ["exec_id"],
        sqlite_where=written,
        postgresql_where=written,
    )


def _make_audit() -> None:
    op.create_table(
        "memory_audit",
        sa.Column("audit_id", _ROW_ID, sa.Identity(), primary_key=True),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("scope_type", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("info", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double[float](), nullable=False),
    )
    op.create_index("memory_audit_by_scope", "memory_audit", ["scope_type", "scope", "audit_id"])
