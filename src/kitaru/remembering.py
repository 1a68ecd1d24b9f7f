"""What everybody who writes or reads memory shares: names that may be, entries as people see them, searched text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kitaru.errors import KitaruUsageError
from kitaru.redaction import redactor
from kitaru.store.memory_records import Scope, VersionRecord
from kitaru.store.memory_upkeep import source_of

if TYPE_CHECKING:
    from kitaru.models import MemoryEntry

SCOPE_TYPES = ("namespace", "flow", "execution")
LONGEST = 512
SEARCHED = 100_000
"""Characters of a value that are searched."""

_KEY = re.compile(r"[A-Za-z0-9._/-]+")


def checked_key(key: str) -> str:
    """The key.

    Raises:
        KitaruUsageError: it has other characters than letters, digits and ``. _ - /``, or too many.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key) or len(key) > LONGEST:  # pyright: ignore[reportUnnecessaryIsInstance]  # users call this
        raise KitaruUsageError(
            f"{str(key)[:80]!r} is no key: write 1 to {LONGEST} of letters, digits and . _ - / (a prefix like "
            "'customers/42/notes' groups keys)."
        )
    return key


def checked_scope(scope: str | None, scope_type: str | None) -> Scope:
    """The scope.

    Raises:
        KitaruUsageError: for another ``scope_type``, or a name that cannot be one.
    """
    kind = scope_type or "namespace"
    if kind not in SCOPE_TYPES:
        raise KitaruUsageError(f"scope_type is {', '.join(SCOPE_TYPES)}, not {kind!r}.")
    fits = scope and len(scope) <= LONGEST and scope.isprintable()
    if not scope or not fits or (kind == "namespace" and not _KEY.fullmatch(scope)):
        raise KitaruUsageError(
            f"{str(scope)[:80]!r} is no scope: name a namespace with letters, digits and . _ - /, a flow by its name, "
            "an execution by its id. `kitaru memory scopes` lists those that exist."
        )
    return Scope(kind, scope)


def entry(record: VersionRecord) -> MemoryEntry:
    """A version as users see it."""
    from kitaru.models import MemoryEntry
    from kitaru.payloads import preview_of

    payload = record.payload
    preview = None
    if payload is not None and (payload.preview is not None or payload.data is not None):
        preview = redactor.text(preview_of(payload.codec, payload.data or b"", payload.preview))
    return MemoryEntry(
        key=record.key,
        value_type=payload.type if payload else None,
        version=record.version,
        scope=record.scope.name,
        scope_type=record.scope.kind,
        is_deleted=payload is None,
        execution_id=record.exec_id,
        call_id=record.call_id,
        flow_id=record.flow_id,
        flow_name=record.flow_name,
        created_at=datetime.fromtimestamp(record.created_at, UTC),
        artifact_id=source_of(record.scope, record.key, record.version),
        preview=preview,
    )


def text_of(key: str, value: Any) -> str:
    """What a search looks through: the key, and the value as text, without known secrets."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bytes):
        text = ""
    else:
        from pydantic_core import to_json

        text = to_json(value, fallback=repr, inf_nan_mode="constants", bytes_mode="base64").decode(
            errors="replace"
        )
    return redactor.text(f"{key} {text[:SEARCHED]}")
