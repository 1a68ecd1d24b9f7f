"""Asks, for every open execution, what the code as it stands now would do with it."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from kitaru.backend import Backend
from kitaru.errors import KitaruRuntimeError
from kitaru.models import ExecutionStatus, PreflightResult
from kitaru.redaction import redactor
from kitaru.runners import local
from kitaru.store.records import ExecutionRecord, Status

PAGE = 200
TOLD_LINES = 5


def preflight(backend: Backend, flow: str | None, timeout: float) -> list[PreflightResult]:
    """One result for each running or waiting execution, newest first."""
    rows = [row for status in (Status.WAITING, Status.RUNNING) for row in _open(backend, flow, status)]
    rows.sort(key=lambda row: row.created_at, reverse=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [asked.result() for asked in [pool.submit(_look, backend, row, timeout) for row in rows]]


def _open(backend: Backend, flow: str | None, status: Status) -> list[ExecutionRecord]:
    found: list[ExecutionRecord] = []
    cursor: str | None = None
    while True:
        page, cursor = backend.store.reads.executions(flow=flow, status=status, limit=PAGE, cursor=cursor)
        found += page
        if cursor is None:
            return found


def _look(backend: Backend, row: ExecutionRecord, timeout: float) -> PreflightResult:
    def result(**told: object) -> PreflightResult:
        known = {
            "exec_id": row.exec_id,
            "flow_name": row.flow_name,
            "status": ExecutionStatus(row.status.value),
        }
        return PreflightResult.model_validate({**known, **redactor.anything(told)})

    try:
        done = local.preflight(backend.store, row, backend.objects_url, timeout)
    except KitaruRuntimeError as error:
        return result(verdict="cannot_load", reason=str(error))
    except subprocess.TimeoutExpired:
        return result(
            verdict="timed_out",
            reason=f"The flow did not come to the end of its journal within {timeout:g} s: it blocks outside of "
            "checkpoints, or the journal is long. Give it more with --timeout.",
        )
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-TOLD_LINES:])
        return result(verdict="cannot_load", reason=f"The process that loads the flow failed: {last}")
    return result(**json.loads(done.stdout))
