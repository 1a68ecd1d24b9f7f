"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str, *, required: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=not required)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [_text(name, required=True) for name in names]


def _number(name: str, *, required: bool = True, default: str | None = None) -> sa.Column[Any]:
    server_default = None if default is None else sa.text(default)
    return sa.Column(name, sa.BigInteger(), nullable=not required, server_default=server_default)


def _moment(name: str, *, required: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Double[float](), nullable=not required)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def _payload(prefix: str, *, required: bool = False) -> list[sa.Column[Any]]:
    return [
        _text(f"{prefix}digest", required=required),
        _text(f"{prefix}codec", required=required),
        _number(f"{prefix}size", required=required),
        _text(f"{prefix}type", required=required),
        _text(f"{prefix}media_type", required=required),
        sa.Column(f"{prefix}data", sa.LargeBinary()),
        _text(f"{prefix}preview"),
        _text(f"{prefix}location", required=required),
    ]


def _index(
    name: str, table: str, columns: list[str], where: str | None = None, *, unique: bool = False
) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    """Make all tables."""
    _create_executions()
    _create_journal()
    _create_waits()
    _create_starts_and_logs()
    op.create_table(
        "blobs",
        _text("digest", required=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )


def _create_executions() -> None:
    op.create_table(
        "executions",
        *_texts("exec_id", "flow_name", "flow_id", "status", "spec", "inputs"),
        _number("epoch"),
        _moment("created_at", required=True),
        _moment("started_at"),
        _moment("ended_at"),
        *_payload("result_"),
        _text("failure"),
        _text("metadata"),
        _text("stack_name"),
        _text("idempotency_key"),
        _text("original_exec_id"),
        _text("parent_exec_id"),
        _text("parent_call_id"),
        _text("launch_id"),
        _number("launch_ordinal", required=False),
        _text("lease_owner"),
        _moment("lease_until"),
        _flag("ready"),
        _moment("wake_at"),
        _flag("cancel_requested"),
        _number("takeovers", default="0"),
        _number("counted_seq", default="0"),
        sa.Column("active_seconds", sa.Double[float](), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("exec_id"),
    )
    _index("executions_by_time", "executions", ["created_at", "exec_id"])
    _index("executions_by_flow", "executions", ["flow_name", "created_at", "exec_id"])
    key = ["flow_name", "idempotency_key"]
    _index("executions_by_key", "executions", key, "idempotency_key IS NOT NULL", unique=True)
    _index("executions_by_launch", "executions", ["launch_id", "launch_ordinal"], "launch_id IS NOT NULL")
    _index("executions_by_parent", "executions", ["parent_exec_id"], "parent_exec_id IS NOT NULL")
    _index("executions_ready", "executions", ["created_at"], "ready")
    _index("executions_due", "executions", ["wake_at"], "wake_at IS NOT NULL")


def _create_journal() -> None:
    op.create_table(
        "calls",
        _text("exec_id", required=True),
        _number("seq"),
        _text("call_id", required=True),
        _number("position"),
        *_texts("kind", "name", "status"),
        _number("attempts"),
        _text("inputs"),
        _text("code_digest"),
        _text("cache_key"),
        *_payload("output_"),
        _text("error"),
        _moment("started_at"),
        _moment("ended_at"),
        _text("info"),
        sa.PrimaryKeyConstraint("exec_id", "seq"),
        sa.UniqueConstraint("exec_id", "call_id"),
    )
    _index("calls_by_cache_key", "calls", ["cache_key"], "cache_key IS NOT NULL")
    op.create_table(
        "attempts",
        *_texts("exec_id", "call_id"),
        _number("attempt"),
        _text("error", required=True),
        _moment("started_at"),
        _moment("ended_at"),
        sa.PrimaryKeyConstraint("exec_id", "call_id", "attempt"),
    )
    op.create_table(
        "artifacts",
        *_texts("exec_id", "call_id"),
        _number("ordinal"),
        *_texts("name", "kind"),
        *_payload("", required=True),
        _text("tags"),
        sa.PrimaryKeyConstraint("exec_id", "call_id", "ordinal"),
    )


def _create_waits() -> None:
    op.create_table(
        "waits",
        *_texts("exec_id", "call_id", "kind", "name"),
        _text("question"),
        _text("schema"),
        _text("metadata"),
        _moment("created_at", required=True),
        _moment("due_at"),
        _text("child_exec_id"),
        _text("status", required=True),
        *_payload("answer_"),
        _moment("settled_at"),
        _text("settled_by"),
        sa.PrimaryKeyConstraint("exec_id", "call_id"),
    )
    _index("waits_on_children", "waits", ["child_exec_id"], "child_exec_id IS NOT NULL")
    _index("waits_open", "waits", ["created_at"], "status = 'pending' AND kind = 'input'")


def _create_starts_and_logs() -> None:
    op.create_table(
        "starts",
        *_texts("exec_id", "call_id", "name", "kind"),
        _number("attempt"),
        _moment("started_at", required=True),
        _text("progress"),
        sa.PrimaryKeyConstraint("exec_id", "call_id"),
    )
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "logs",
        sa.Column("log_id", row_id, sa.Identity(), nullable=False),
        _text("exec_id", required=True),
        _text("call_id"),
        _number("attempt"),
        _moment("at", required=True),
        *_texts("stream", "level"),
        _text("logger"),
        _text("message", required=True),
        sa.PrimaryKeyConstraint("log_id"),
    )
    _index("logs_by_execution", "logs", ["exec_id", "log_id"])
