"""The journal's statements, for all databases; the marks in them are explained in ``database.py``."""

from __future__ import annotations

from kitaru.store.rows import (
    ANSWER_COLUMNS,
    ARTIFACT_COLUMNS,
    ATTEMPT_COLUMNS,
    CALL_COLUMNS,
    EXECUTION_COLUMNS,
    INTENT_COLUMNS,
    LINK_COLUMNS,
    LOG_COLUMNS,
    PAYLOAD,
    RESULT_COLUMNS,
    SLIM_CALL_COLUMNS,
    START_COLUMNS,
    SUBCALL_COLUMNS,
    WAIT_COLUMNS,
)


def marks(count: int) -> str:
    """As many parameters."""
    return ", ".join("?" * count)


def width(columns: str) -> int:
    """How many columns a list names."""
    return columns.count(",") + 1


# The runner that holds the lease in this epoch; nobody else may write. On PostgreSQL the row stays as it is until the
# write has committed, so that a takeover comes wholly before or wholly after it.
_HELD = "FROM executions WHERE exec_id = ? AND epoch = ? AND lease_owner IS NOT NULL"
_IF_HELD = f"{_HELD}{{share}} ON CONFLICT DO NOTHING"


def _insert_if_held(table: str, columns: str, values: str | None = None) -> str:
    selected = values or marks(width(columns) + 1)
    return f"INSERT INTO {table} (exec_id, {columns}) SELECT {selected} {_IF_HELD}"


INSERT_CALL = _insert_if_held("calls", CALL_COLUMNS)
INSERT_ATTEMPT = _insert_if_held("attempts", ATTEMPT_COLUMNS)
INSERT_INTENT = _insert_if_held("intents", INTENT_COLUMNS)
INSERT_ARTIFACT = _insert_if_held("artifacts", ARTIFACT_COLUMNS)
INSERT_SUBCALL = _insert_if_held("subcalls", SUBCALL_COLUMNS)
INSERT_LINK = _insert_if_held("links", LINK_COLUMNS)
INSERT_RESULT_LINK = (
    f"INSERT INTO links (exec_id, {LINK_COLUMNS}) "
    f"VALUES ({marks(width(LINK_COLUMNS) + 1)}) ON CONFLICT DO NOTHING"
)
INSERT_WAIT = _insert_if_held(
    "waits",
    WAIT_COLUMNS,
    # created_at is the eighth of the row, which starts with exec_id.
    f"{marks(7)}, COALESCE(?, {{now}}), {marks(width(WAIT_COLUMNS) - 7)}",
)
INSERT_HELD_BLOB = f"INSERT INTO blobs (digest, data) SELECT ?, ? {_IF_HELD}"
INSERT_BLOB = "INSERT INTO blobs (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING"

IS_HELD = f"SELECT 1 {_HELD}{{share}}"
LOCK_SHARED = "SELECT 1 FROM executions WHERE exec_id = ANY(?) ORDER BY exec_id{share}"
LOCK_ONE_SHARED = "SELECT 1 FROM executions WHERE exec_id = ?{share}"
CALL_AT = "SELECT call_id FROM calls WHERE exec_id = ? AND seq = ?"

_NEW_COLUMNS = (
    "exec_id, flow_name, flow_id, spec, inputs, stack_name, idempotency_key, original_exec_id, parent_exec_id, "
    "parent_call_id, launch_id, launch_ordinal"
)
INSERT_EXECUTION = (
    f"INSERT INTO executions ({_NEW_COLUMNS}, lease_owner, epoch, ready, status, created_at, started_at, lease_until) "
    f"VALUES ({marks(width(_NEW_COLUMNS) + 1)}, 0, TRUE, 'running', {{now}}, NULL, NULL) ON CONFLICT DO NOTHING"
)
INSERT_HELD_EXECUTION = (
    f"INSERT INTO executions ({_NEW_COLUMNS}, lease_owner, epoch, ready, status, created_at, started_at, lease_until) "
    f"VALUES ({marks(width(_NEW_COLUMNS) + 1)}, 1, FALSE, 'running', {{now}}, {{now}}, {{now}} + ?) "
    "ON CONFLICT DO NOTHING"
)

EXECUTION = f"SELECT {EXECUTION_COLUMNS} FROM executions WHERE exec_id = ?"
EXECUTION_BY_KEY = f"SELECT {EXECUTION_COLUMNS} FROM executions WHERE flow_name = ? AND idempotency_key = ?"
EXECUTION_BY_LAUNCH = (
    f"SELECT {EXECUTION_COLUMNS} FROM executions WHERE launch_id = ? AND launch_ordinal = ? "
    "ORDER BY created_at LIMIT 1"
)
STATUS = "SELECT status FROM executions WHERE exec_id = ?"
LOCK_EXECUTION = (
    "SELECT status, epoch, lease_owner, lease_until, {now}, cancel_requested, takeovers, counted_seq "
    "FROM executions WHERE exec_id = ?{lock}"
)
LOCK_IN_ORDER = "SELECT exec_id FROM executions WHERE exec_id IN () ORDER BY exec_id{lock}"
LAST_SEQ = "SELECT COALESCE(MAX(seq), 0) FROM calls WHERE exec_id = ?"

TAKE = (
    "UPDATE executions SET epoch = epoch + 1, status = 'running', ready = FALSE, wake_at = NULL, lease_owner = ?, "
    "lease_until = {now} + ?, started_at = COALESCE(started_at, {now}), takeovers = ?, counted_seq = ? "
    "WHERE exec_id = ?"
)
RELEASE = "UPDATE executions SET lease_owner = NULL, lease_until = NULL, ready = TRUE WHERE exec_id = ?"
EXTEND = "UPDATE executions SET lease_until = {now} + ? WHERE lease_owner = ? AND exec_id IN "
SIGNALS = "SELECT exec_id, epoch, lease_owner, cancel_requested FROM executions WHERE exec_id IN "
SUSPEND = (
    "UPDATE executions SET status = 'waiting', lease_owner = NULL, lease_until = NULL, ready = FALSE, "
    "active_seconds = active_seconds + ?, "
    "wake_at = (SELECT MIN(due_at) FROM waits WHERE waits.exec_id = executions.exec_id AND waits.status = 'pending') "
    "WHERE exec_id = ?"
)
# A wait that was settled, or is due, while the journal has no call for it yet.
NEWS = (
    "SELECT 1 FROM waits WHERE exec_id = ? AND (status IN ('answered', 'aborted', 'expired') "
    "OR (status = 'pending' AND due_at <= {now})) AND NOT EXISTS "
    "(SELECT 1 FROM calls WHERE calls.exec_id = waits.exec_id AND calls.call_id = waits.call_id) LIMIT 1"
)

FINISH = (
    f"UPDATE executions SET status = ?, {', '.join(f'{column} = ?' for column in RESULT_COLUMNS)}, failure = ?, "
    "ended_at = {now}, lease_owner = NULL, lease_until = NULL, ready = FALSE, wake_at = NULL, epoch = epoch + ?, "
    "active_seconds = active_seconds + ? WHERE exec_id = ?"
)
CLOSE_WAITS = (
    "UPDATE waits SET status = 'closed', settled_at = {now} WHERE exec_id = ? AND status = 'pending'"
)
DROP_STARTS = "DELETE FROM starts WHERE exec_id = ?"
READY_PARENTS = (
    "SELECT exec_id FROM executions WHERE status = 'waiting' AND ready AND exec_id IN "
    "(SELECT exec_id FROM waits WHERE child_exec_id = ? AND kind = 'child') ORDER BY exec_id"
)
ANSWER_PARENTS = (
    "UPDATE waits SET status = 'answered', settled_at = {now}, settled_by = 'child' "
    "WHERE child_exec_id = ? AND kind = 'child' AND status = 'pending'"
)
WAITING_PARENTS = (
    "SELECT exec_id FROM waits WHERE child_exec_id = ? AND kind = 'child' AND status = 'pending'"
)
MAKE_READY = "UPDATE executions SET ready = TRUE WHERE exec_id = ? AND status = 'waiting'"

WAIT_STATUS = "SELECT status FROM waits WHERE exec_id = ? AND call_id = ?"
SETTLE = (
    f"UPDATE waits SET status = ?, {', '.join(f'{column} = ?' for column in ANSWER_COLUMNS)}, settled_at = {{now}}, "
    "settled_by = ? WHERE exec_id = ? AND call_id = ?"
)
WAIT_METADATA = "SELECT metadata FROM waits WHERE exec_id = ? AND call_id = ? AND status = 'answered'"
REJECT = (
    f"UPDATE waits SET status = 'pending', {', '.join(f'{column} = NULL' for column in ANSWER_COLUMNS)}, "
    "settled_at = NULL, settled_by = NULL, metadata = ? WHERE exec_id = ? AND call_id = ?"
)
REQUEST_CANCEL = "UPDATE executions SET cancel_requested = TRUE WHERE exec_id = ?"
UNFINISHED_CHILDREN = (
    "SELECT exec_id FROM executions WHERE parent_exec_id = ? AND status IN ('running', 'waiting') "
    "ORDER BY exec_id"
)
REOPEN = (
    f"UPDATE executions SET status = 'running', {', '.join(f'{column} = NULL' for column in RESULT_COLUMNS)}, "
    "failure = NULL, ended_at = NULL, lease_owner = NULL, lease_until = NULL, ready = TRUE, wake_at = NULL, "
    "cancel_requested = FALSE, takeovers = 0, counted_seq = 0, epoch = epoch + 1 WHERE exec_id = ?"
)
DROP_CLOSED_WAITS = (
    "DELETE FROM waits WHERE exec_id = ? AND status = 'closed' AND NOT EXISTS "
    "(SELECT 1 FROM calls WHERE calls.exec_id = waits.exec_id AND calls.call_id = waits.call_id)"
)
FAILED_CALL = (
    "SELECT error, started_at, ended_at FROM calls WHERE exec_id = ? AND call_id = ? AND status = 'failed'"
)
LAST_ATTEMPT = "SELECT COALESCE(MAX(attempt), 0) FROM attempts WHERE exec_id = ? AND call_id = ?"
ADD_ATTEMPT = (
    f"INSERT INTO attempts (exec_id, {ATTEMPT_COLUMNS}) VALUES ({marks(width(ATTEMPT_COLUMNS) + 1)}) "
    "ON CONFLICT DO NOTHING"
)
HAS_ATTEMPT = "SELECT 1 FROM attempts WHERE exec_id = ? AND call_id = ? AND attempt = ?"
DROP_CALL = "DELETE FROM calls WHERE exec_id = ? AND call_id = ?"
DROP_ARTIFACTS = "DELETE FROM artifacts WHERE exec_id = ? AND call_id = ?"
DROP_WAIT = "DELETE FROM waits WHERE exec_id = ? AND call_id = ?"
FORGET_TAKEOVERS = "UPDATE executions SET takeovers = 0, counted_seq = 0 WHERE exec_id = ?"

LOCK_SPEC = "SELECT spec FROM executions WHERE exec_id = ?{lock}"
SET_SPEC = "UPDATE executions SET spec = ? WHERE exec_id = ?"
LOCK_METADATA = "SELECT metadata FROM executions WHERE exec_id = ?{lock}"
SET_METADATA = "UPDATE executions SET metadata = ? WHERE exec_id = ?"

_PAGE = "FROM calls WHERE exec_id = ? AND seq > ? ORDER BY seq LIMIT ?"
CALLS = f"SELECT {CALL_COLUMNS} {_PAGE}"
SLIM_CALLS = f"SELECT {SLIM_CALL_COLUMNS} {_PAGE}"
OUTPUT = (
    "SELECT output_digest, output_codec, output_size, output_type, output_media_type, output_data, output_preview, "
    "output_location FROM calls WHERE exec_id = ? AND call_id = ?"
)
ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE exec_id = ? ORDER BY call_id, attempt"
INTENTS = f"SELECT {INTENT_COLUMNS} FROM intents WHERE exec_id = ? ORDER BY call_id, attempt"
SUBCALL_IDS = "SELECT call_id, child_id FROM subcalls WHERE exec_id = ?"
CALL_ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE exec_id = ? AND call_id = ? ORDER BY attempt"
WAITS = (
    f"SELECT {WAIT_COLUMNS} FROM waits WHERE exec_id = ? "
    "ORDER BY CASE WHEN settled_at IS NULL THEN 1 ELSE 0 END, settled_at, created_at, call_id"
)
SAVED = f"SELECT {', '.join(PAYLOAD)} FROM artifacts WHERE exec_id = ? AND call_id = ? AND ordinal = ?"
ARTIFACTS = (
    f"SELECT {', '.join(f'artifacts.{name}' for name in ARTIFACT_COLUMNS.split(', '))} FROM artifacts "
    "LEFT JOIN calls ON calls.exec_id = artifacts.exec_id AND calls.call_id = artifacts.call_id "
    "WHERE artifacts.exec_id = ? ORDER BY calls.seq, artifacts.call_id, artifacts.ordinal"
)
BLOBS = "SELECT digest, data FROM blobs WHERE digest IN "
CACHED = (
    f"SELECT exec_id, {CALL_COLUMNS} FROM calls WHERE cache_key = ? AND status = 'completed' "
    "ORDER BY COALESCE(ended_at, 0) DESC LIMIT 1"
)
WAKEABLE = (
    "SELECT exec_id FROM executions WHERE ready AND (lease_owner IS NULL OR lease_until <= {now}) "
    "UNION SELECT exec_id FROM executions WHERE wake_at IS NOT NULL AND wake_at <= {now} AND status = 'waiting' "
    "LIMIT ?"
)
NEXT_WAKE = "SELECT MIN(wake_at) FROM executions WHERE wake_at IS NOT NULL AND status = 'waiting'"

UPSERT_START = (
    f"INSERT INTO starts ({START_COLUMNS}) SELECT {marks(width(START_COLUMNS))} FROM executions "
    "WHERE exec_id = ? AND status = 'running' ON CONFLICT (exec_id, call_id) DO UPDATE SET name = excluded.name, "
    "kind = excluded.kind, attempt = excluded.attempt, started_at = excluded.started_at, progress = excluded.progress"
)
INSERT_LOG = f"INSERT INTO logs ({LOG_COLUMNS}) VALUES ({marks(width(LOG_COLUMNS))})"
