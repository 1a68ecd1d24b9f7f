"""Following an execution while it runs, by reading the journal again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from kitaru.client import mapping
from kitaru.errors import KitaruRuntimeError
from kitaru.models import Event, LogEntry
from kitaru.redaction import redactor
from kitaru.store.protocol import Store
from kitaru.store.records import CallRecord, ExecutionRecord, StartRecord, Status

FIRST_POLL = 0.1
LONGEST_POLL = 1.0
TAKEN_SECONDS = 10.0


def logs(
    store: Store, exec_id: str, checkpoint: str | None, limit: int | None, follow: bool
) -> Iterator[LogEntry]:
    """Log lines, oldest first."""
    by_id = checkpoint is not None and "#" in checkpoint
    after = 0
    pause = FIRST_POLL
    while True:
        # Read before the lines: what was said before the end is not missed.
        finished = store.status(exec_id).is_finished
        found = store.reads.logs(
            exec_id,
            call_id=checkpoint if by_id else None,
            name=None if by_id else checkpoint,
            after_id=after,
            limit=limit,
        )
        for record in found:
            assert record.log_id is not None
            after = record.log_id
            at = mapping.moment(record.at)
            assert at is not None
            yield LogEntry(
                log_id=record.log_id,
                at=at,
                call_id=record.call_id,
                attempt=record.attempt,
                stream=record.stream,
                level=record.level,
                logger=record.logger,
                message=redactor.text(record.message),
            )
        if not follow or finished:
            return
        pause = FIRST_POLL if found else min(pause * 1.5, LONGEST_POLL)
        time.sleep(pause)


def until_taken(store: Store, before: ExecutionRecord, launched_at: float) -> None:
    """Wait until the runner launched then has taken the execution; a runner that is slower is not waited for.

    Raises:
        KitaruRuntimeError: the runner's own words, when it could not.
    """
    deadline = time.monotonic() + TAKEN_SECONDS
    after = 0
    while store.execution(before.exec_id).epoch == before.epoch and time.monotonic() < deadline:
        for line in store.reads.logs(before.exec_id, after_id=after):
            after = line.log_id or after
            failed = line.level == "ERROR" and line.logger == "kitaru" and line.at >= launched_at
            # Of what it may have met later, the execution's log tells.
            if failed and store.execution(before.exec_id).epoch == before.epoch:
                raise KitaruRuntimeError(line.message)
        time.sleep(FIRST_POLL)


def events(store: Store, exec_id: str) -> Iterator[Event]:
    """Starts, progress, ends and changes of status, until the execution ends."""
    told_starts: dict[tuple[str, int], Any] = {}
    status: Status | None = None
    after = 0
    pause = FIRST_POLL
    while True:
        row = store.execution(exec_id)
        happened: list[Event] = []
        for start in store.reads.starts(exec_id):
            happened += _start_events(exec_id, start, told_starts)
        for record in store.calls(exec_id, after_seq=after, data=False):
            after = record.seq
            happened.append(_ended(exec_id, record))
        if row.status != status and not row.status.is_finished:
            status = row.status
            happened.append(_status(exec_id, row.status, store.now()))
        yield from happened
        if row.status.is_finished:
            while page := store.calls(exec_id, after_seq=after, data=False):
                after = page[-1].seq
                yield from (_ended(exec_id, record) for record in page)
            yield _status(exec_id, row.status, row.ended_at or store.now())
            return
        pause = FIRST_POLL if happened else min(pause * 1.5, LONGEST_POLL)
        time.sleep(pause)


def _start_events(exec_id: str, start: StartRecord, told: dict[tuple[str, int], Any]) -> Iterator[Event]:
    at = mapping.moment(start.started_at)
    assert at is not None
    key = (start.call_id, start.attempt)
    if key not in told:
        detail = {"attempt": start.attempt}
        yield Event(
            kind="call_started", exec_id=exec_id, at=at, call_id=start.call_id, name=start.name, detail=detail
        )
    if start.progress and told.get(key) != start.progress:
        yield Event(
            kind="call_progress",
            exec_id=exec_id,
            at=at,
            call_id=start.call_id,
            name=start.name,
            detail=redactor.anything(start.progress),
        )
    told[key] = start.progress


def _ended(exec_id: str, record: CallRecord) -> Event:
    at = mapping.moment(record.ended_at or record.started_at or 0.0)
    assert at is not None
    detail: dict[str, Any] = {
        "attempts": record.attempts,
        "cached_from": (record.info or {}).get("cached_from"),
    }
    return Event(
        kind="call_ended",
        exec_id=exec_id,
        at=at,
        call_id=record.call_id,
        name=record.name,
        status=record.status,
        detail=detail,
    )


def _status(exec_id: str, status: Status, seconds: float) -> Event:
    at = mapping.moment(seconds)
    assert at is not None
    return Event(kind="status", exec_id=exec_id, at=at, status=status.value)
