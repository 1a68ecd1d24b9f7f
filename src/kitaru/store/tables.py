"""The tables: the one source of the schema, from which the SQL files are generated.

There are no foreign keys: every row is written under the execution's own row, and a look-up for each append would be
paid on the hot path. Times are seconds since the epoch; JSON is text.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()

# SQLite numbers rows by itself only in a column that is declared INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


def _payload(prefix: str, *, required: bool = False) -> list[Column[Any]]:
    nullable = not required
    return [
        Column(f"{prefix}digest", Text(), nullable=nullable),
        Column(f"{prefix}codec", Text(), nullable=nullable),
        Column(f"{prefix}size", BigInteger(), nullable=nullable),
        Column(f"{prefix}type", Text(), nullable=nullable),
        Column(f"{prefix}media_type", Text(), nullable=nullable),
        Column(f"{prefix}data", LargeBinary()),
        Column(f"{prefix}preview", Text()),
        Column(f"{prefix}location", Text(), nullable=nullable),
    ]


def _partial(name: str, column: Column[Any], *more: Column[Any], where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, column, *more, unique=unique, sqlite_where=condition, postgresql_where=condition)


executions = Table(
    "executions",
    metadata,
    Column("exec_id", Text(), primary_key=True),
    Column("flow_name", Text(), nullable=False),
    Column("flow_id", Text(), nullable=False),
    Column("status", Text(), nullable=False),
    Column("spec", Text(), nullable=False),
    Column("inputs", Text(), nullable=False),
    Column("epoch", BigInteger(), nullable=False),
    Column("created_at", Double[float](), nullable=False),
    Column("started_at", Double[float]()),
    Column("ended_at", Double[float]()),
    *_payload("result_"),
    Column("failure", Text()),
    Column("metadata", Text()),
    Column("stack_name", Text()),
    Column("idempotency_key", Text()),
    Column("original_exec_id", Text()),
    Column("parent_exec_id", Text()),
    Column("parent_call_id", Text()),
    Column("launch_id", Text()),
    Column("launch_ordinal", BigInteger()),
    Column("lease_owner", Text()),
    Column("lease_until", Double[float]()),
    Column("ready", Boolean(), nullable=False, server_default=false()),
    Column("wake_at", Double[float]()),
    Column("cancel_requested", Boolean(), nullable=False, server_default=false()),
    Column("takeovers", BigInteger(), nullable=False, server_default=text("0")),
    # How long the journal was at the last takeover that counted.
    Column("counted_seq", BigInteger(), nullable=False, server_default=text("0")),
    Column("active_seconds", Double[float](), nullable=False, server_default=text("0")),
)

calls = Table(
    "calls",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("position", BigInteger(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("status", Text(), nullable=False),
    Column("attempts", BigInteger(), nullable=False),
    Column("inputs", Text()),
    Column("code_digest", Text()),
    Column("cache_key", Text()),
    *_payload("output_"),
    Column("error", Text()),
    Column("started_at", Double[float]()),
    Column("ended_at", Double[float]()),
    Column("info", Text()),
    PrimaryKeyConstraint("exec_id", "seq"),
    UniqueConstraint("exec_id", "call_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("attempt", BigInteger(), nullable=False),
    Column("error", Text(), nullable=False),
    Column("started_at", Double[float]()),
    Column("ended_at", Double[float]()),
    PrimaryKeyConstraint("exec_id", "call_id", "attempt"),
)

intents = Table(
    "intents",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("attempt", BigInteger(), nullable=False),
    Column("started_at", Double[float](), nullable=False),
    PrimaryKeyConstraint("exec_id", "call_id", "attempt"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("ordinal", BigInteger(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    *_payload("", required=True),
    Column("tags", Text()),
    PrimaryKeyConstraint("exec_id", "call_id", "ordinal"),
)

subcalls = Table(
    "subcalls",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("child_id", Text(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("attempt", BigInteger(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("status", Text(), nullable=False),
    Column("parent_id", Text()),
    Column("provider", Text()),
    Column("model", Text()),
    Column("input_tokens", BigInteger()),
    Column("output_tokens", BigInteger()),
    Column("cache_read_tokens", BigInteger()),
    Column("cache_write_tokens", BigInteger()),
    Column("reasoning_tokens", BigInteger()),
    Column("cost_usd", Double[float]()),
    Column("started_at", Double[float]()),
    Column("ended_at", Double[float]()),
    Column("error", Text()),
    Column("info", Text()),
    PrimaryKeyConstraint("exec_id", "child_id"),
)

links = Table(
    "links",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("source_exec_id", Text(), nullable=False),
    Column("source", Text(), nullable=False),
    PrimaryKeyConstraint("exec_id", "call_id", "source"),
)

waits = Table(
    "waits",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("question", Text()),
    Column("schema", Text()),
    Column("metadata", Text()),
    Column("created_at", Double[float](), nullable=False),
    Column("due_at", Double[float]()),
    Column("child_exec_id", Text()),
    Column("status", Text(), nullable=False),
    *_payload("answer_"),
    Column("settled_at", Double[float]()),
    Column("settled_by", Text()),
    PrimaryKeyConstraint("exec_id", "call_id"),
)

starts = Table(
    "starts",
    metadata,
    Column("exec_id", Text(), nullable=False),
    Column("call_id", Text(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("kind", Text(), nullable=False),
    Column("attempt", BigInteger(), nullable=False),
    Column("started_at", Double[float](), nullable=False),
    Column("progress", Text()),
    PrimaryKeyConstraint("exec_id", "call_id"),
)

logs = Table(
    "logs",
    metadata,
    Column("log_id", RowId, Identity(), primary_key=True),
    Column("exec_id", Text(), nullable=False),
    Column("call_id", Text()),
    Column("attempt", BigInteger(), nullable=False),
    Column("at", Double[float](), nullable=False),
    Column("stream", Text(), nullable=False),
    Column("level", Text(), nullable=False),
    Column("logger", Text()),
    Column("message", Text(), nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", Text(), primary_key=True),
    Column("data", LargeBinary(), nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("alias", Text(), primary_key=True),
    Column("model", Text(), nullable=False),
    Column("secret", Text()),
    Column("fallback", Text()),
    Column("base_url", Text()),
    Column("is_default", Boolean(), nullable=False, server_default=false()),
    Column("created_at", Double[float](), nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text(), primary_key=True),
    Column("token", Text(), nullable=False),
    Column("key_id", Text(), nullable=False),
    Column("keys", Text(), nullable=False),
    Column("created_at", Double[float](), nullable=False),
    Column("updated_at", Double[float](), nullable=False),
)

memory_scopes = Table(
    "memory_scopes",
    metadata,
    Column("scope_id", RowId, Identity(), primary_key=True),
    Column("scope_type", Text(), nullable=False),
    Column("scope", Text(), nullable=False),
    # Counts the writes, so that all of a scope have one order.
    Column("seq", BigInteger(), nullable=False),
    UniqueConstraint("scope_type", "scope"),
)

memory_keys = Table(
    "memory_keys",
    metadata,
    Column("key_id", RowId, Identity(), primary_key=True),
    Column("scope_id", BigInteger(), nullable=False),
    Column("name", Text(), nullable=False),
    Column("version", BigInteger(), nullable=False),
    Column("deleted", Boolean(), nullable=False),
    UniqueConstraint("scope_id", "name"),
)

memory_versions = Table(
    "memory_versions",
    metadata,
    Column("key_id", BigInteger(), nullable=False),
    Column("version", BigInteger(), nullable=False),
    Column("seq", BigInteger(), nullable=False),
    *_payload(""),
    Column("exec_id", Text()),
    Column("call_id", Text()),
    Column("flow_id", Text()),
    Column("flow_name", Text()),
    Column("created_at", Double[float](), nullable=False),
    # Out of every list, and kept while an execution refers to it.
    Column("purged", Boolean(), nullable=False, server_default=false()),
    PrimaryKeyConstraint("key_id", "version"),
)

memory_audit = Table(
    "memory_audit",
    metadata,
    Column("audit_id", RowId, Identity(), primary_key=True),
    Column("operation", Text(), nullable=False),
    Column("scope_type", Text(), nullable=False),
    Column("scope", Text(), nullable=False),
    Column("info", Text(), nullable=False),
    Column("created_at", Double[float](), nullable=False),
)

SEARCH = {
    "sqlite": ("CREATE VIRTUAL TABLE memory_text USING fts5(body)",),
    "postgres": (
        "CREATE TABLE memory_text (rowid BIGINT PRIMARY KEY, body TSVECTOR NOT NULL)",
        "CREATE INDEX memory_text_body ON memory_text USING gin (body)",
    ),
}
"""The text of the current versions under their keys' ids, by each database's own full-text search."""

schema_version = Table("schema_version", metadata, Column("version_num", Text(), primary_key=True))

Index("executions_by_time", executions.c.created_at, executions.c.exec_id)
Index("executions_by_flow", executions.c.flow_name, executions.c.created_at, executions.c.exec_id)
_partial(
    "executions_by_key",
    executions.c.flow_name,
    executions.c.idempotency_key,
    where="idempotency_key IS NOT NULL",
    unique=True,
)
_partial(
    "executions_by_launch",
    executions.c.launch_id,
    executions.c.launch_ordinal,
    where="launch_id IS NOT NULL",
)
_partial("executions_by_parent", executions.c.parent_exec_id, where="parent_exec_id IS NOT NULL")
_partial("executions_ready", executions.c.created_at, where="ready")
_partial("executions_due", executions.c.wake_at, where="wake_at IS NOT NULL")
_partial("calls_by_cache_key", calls.c.cache_key, where="cache_key IS NOT NULL")
_partial("waits_on_children", waits.c.child_exec_id, where="child_exec_id IS NOT NULL")
_partial("waits_open", waits.c.created_at, where="status = 'pending' AND kind = 'input'")
_partial("memory_by_execution", memory_versions.c.exec_id, where="exec_id IS NOT NULL")
Index("memory_audit_by_scope", memory_audit.c.scope_type, memory_audit.c.scope, memory_audit.c.audit_id)
Index("links_by_source", links.c.source_exec_id)
Index("logs_by_execution", logs.c.exec_id, logs.c.log_id)
