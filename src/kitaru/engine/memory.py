"""A flow's memory: each read and write is a call of its journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kitaru.engine.calls import Call, Outcome, input_form
from kitaru.engine.replay import ReplayPlan
from kitaru.engine.scope import Branch
from kitaru.engine.signals import LeaseLost
from kitaru.store.memory_protocol import MemoryStore
from kitaru.store.memory_records import Conflict, Journalled, MemoryWrite, Scope, VersionRecord
from kitaru.store.memory_upkeep import LINK, source_of
from kitaru.store.memory_views import MemoryView, conflict_error
from kitaru.store.protocol import Fenced
from kitaru.store.records import Append, Blob, CallKind, CallRecord, JsonDict, LinkRecord

if TYPE_CHECKING:
    from kitaru.engine.run import Run


@dataclass
class Seen:
    """What a read found, and which versions it came from."""

    value: Any
    info: JsonDict = field(default_factory=dict[str, Any])
    versions: tuple[VersionRecord, ...] = ()


class RunMemory:
    """The memory as one execution sees it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.scope = Scope("flow", run.code.name)
        plan = run.execution.spec.get("replay")
        self._plan = ReplayPlan.from_json(plan) if plan else None
        self._passed: dict[Scope, int] = {}

    @property
    def _store(self) -> MemoryStore:
        return self._run.store.memory

    @property
    def _as_of(self) -> bool:
        return self._plan is not None and self._plan.memory == "as_of"

    # ---------------------------------------------------------------- calls

    def get(self, branch: Branch, scope: Scope, key: str, version: int | None) -> tuple[bool, Any]:
        """Whether there is a value, and the value."""

        def read(call_id: str) -> Seen:
            found, seq = self._visible(call_id, scope, key, version)
            info = {"seq": seq, "found": found is not None and found.payload is not None}
            if found is None or found.payload is None:
                return Seen(None, info)
            return Seen(self._run.vault.get(found.payload), {**info, "version": found.version}, (found,))

        given: JsonDict = {"key": key} if version is None else {"key": key, "version": version}
        value, info = self._read(branch, "get", scope, given, read)
        return info["found"], value

    def read(
        self,
        branch: Branch,
        operation: str,
        scope: Scope,
        given: Mapping[str, Any],
        look: Callable[[MemoryView], Any],
    ) -> Any:
        """What ``look`` makes of the memory as it is visible, recorded."""

        def read(call_id: str) -> Seen:
            bound = self._bound(call_id, scope)
            seq = self._store.seq_at(scope, self._run.store.now()) if bound is None else bound
            return Seen(look(MemoryView(self._store, scope, self._overlay(scope), bound)), {"seq": seq})

        return self._read(branch, operation, scope, given, read)[0]

    def write(
        self,
        branch: Branch,
        scope: Scope,
        key: str,
        value: Any,
        text: str | None,
        *,
        expect: int | None = None,
        delete: bool = False,
    ) -> JsonDict:
        """Set or delete; what is recorded of the new version. Raises ``KitaruConflictError``."""
        run = self._run
        blobs: list[Blob] = []
        given: JsonDict = {"key": key} if expect is None else {"key": key, "expect_version": expect}
        inputs = self._forms(scope, given, blobs)
        if not delete:
            inputs["value"], _ = input_form(value, run.vault, run.journal.origins, blobs)
        call = self._issue(branch, "delete" if delete else "set", inputs, blobs)
        record = self._recorded(call, scope)
        if record is None:
            run.before_memory(call, writes=True)
            record = self._commit(call, self._prepared(call, scope, key, value, text, expect, delete), expect)
        run.deliver(record)
        return (record.info or {})["memory"]

    # ---------------------------------------------------------------- reading

    def _read(
        self,
        branch: Branch,
        operation: str,
        scope: Scope,
        given: Mapping[str, Any],
        read: Callable[[str], Seen],
    ) -> tuple[Any, JsonDict]:
        run = self._run
        blobs: list[Blob] = []
        call = self._issue(branch, operation, self._forms(scope, given, blobs), blobs)
        record = self._recorded(call, scope)
        if record is not None:
            return run.deliver(record), (record.info or {})["memory"]
        run.before_memory(call, writes=False)
        began = time.time()
        seen = read(call.call_id)
        outcome = Outcome(seen.value, started_at=began, ended_at=time.time())
        record, blobs, _ = run.build(call, outcome)
        info = _told(scope, given.get("key"), seen.info)
        record.info = {**(record.info or {}), "memory": info}
        sources = [source_of(one.scope, one.key, one.version) for one in seen.versions]
        links = [LinkRecord(call.call_id, LINK, source, source) for source in sources]
        run.commit([record], blobs=blobs, links=links)
        self._passed[scope] = info["seq"]
        return run.deliver(record, outcome), info

    def _visible(
        self, call_id: str, scope: Scope, key: str, version: int | None
    ) -> tuple[VersionRecord | None, int]:
        """The version that is to be seen, and the ``seq`` at which."""
        bound = self._bound(call_id, scope)
        if bound is None:
            found = self._store.read(scope, key, version=version)
            return found.version, found.seq
        own = self._store.read(self._overlay(scope) or scope, key, version=version).version
        if own is not None:
            return own, bound
        found = self._store.read(scope, key, version=version, upto=None if version else bound).version
        return (found if found is None or found.seq <= bound else None), bound

    def _overlay(self, scope: Scope) -> Scope | None:
        """Where a replay writes, so that what others see stays what it is."""
        return Scope(scope.kind, f"{scope.name}~{self._run.exec_id}") if self._as_of else None

    def _bound(self, call_id: str, scope: Scope) -> int | None:
        """The ``seq`` up to which a replay sees the original's scope; None: it sees all."""
        if not self._as_of:
            return None
        then = self._original.get(call_id)
        if then is not None and then[0] == scope:
            self._passed[scope] = then[1]
        if scope not in self._passed:
            assert self._plan is not None
            began = self._run.store.execution(self._plan.original).created_at
            self._passed[scope] = self._store.seq_at(scope, began)
        return self._passed[scope]

    @cached_property
    def _original(self) -> dict[str, tuple[Scope, int]]:
        """Call -> the scope and the ``seq`` that the original's read or write of memory is recorded with."""
        assert self._plan is not None
        told = {
            call.call_id: (call.info or {}).get("memory")
            for call in self._run.store.reads.call_summaries(self._plan.original)
        }
        return {
            call_id: (Scope(*info["scope"]), info["seq"])
            for call_id, info in told.items()
            if info is not None
        }

    # ---------------------------------------------------------------- writing

    def _prepared(
        self,
        call: Call,
        scope: Scope,
        key: str,
        value: Any,
        text: str | None,
        expect: int | None,
        delete: bool,
    ) -> MemoryWrite:
        run = self._run
        payload, blobs = (None, []) if delete else run.vault.put(value)
        base = 0
        overlay = self._overlay(scope)
        if overlay is not None:
            visible, _ = self._visible(call.call_id, scope, key, None)
            base = visible.version if visible else 0
        return MemoryWrite(
            overlay or scope,
            key,
            payload,
            blobs,
            text,
            expect,
            base,
            run.exec_id,
            call.call_id,
            run.execution.flow_id,
            run.code.name,
        )

    def _commit(self, call: Call, write: MemoryWrite, expect: int | None) -> CallRecord:
        run = self._run
        seq = run.journal.next_seq()
        made: list[CallRecord] = []

        def append(result: VersionRecord | Conflict) -> Append:
            # Asked again when the database repeats the commit.
            made[:] = [self._record(call, write, result, expect, seq)]
            return Append(run.exec_id, run.journal.epoch, made, blobs=call.blobs)

        try:
            run.store.memory.write(write, Journalled(run.exec_id, run.journal.epoch, seq, append))
        except Fenced as error:
            run.interrupt(LeaseLost(run.exec_id))
            raise LeaseLost(run.exec_id) from error
        self._passed.setdefault(write.scope, 0)
        return made[0]

    def _record(
        self, call: Call, write: MemoryWrite, result: VersionRecord | Conflict, expect: int | None, seq: int
    ) -> CallRecord:
        moment = time.time()
        outcome = Outcome(started_at=moment, ended_at=moment)
        if isinstance(result, Conflict):
            outcome.error = conflict_error(write.scope, write.key, expect, result.current)
        record, _, _ = self._run.build(call, outcome)
        record.output = None
        record.seq = seq
        told: JsonDict = {"seq": result.seq}
        if isinstance(result, Conflict):
            told["current"] = result.current
        else:
            payload = result.payload
            told |= {"version": result.version, "created_at": result.created_at}
            told |= {"exec_id": result.exec_id, "call_id": result.call_id}
            told["type"] = payload.type if payload else None
        record.info = {**(record.info or {}), "memory": _told(write.scope, write.key, told)}
        return record

    # ---------------------------------------------------------------- both

    def _forms(self, scope: Scope, given: Mapping[str, Any], blobs: list[Blob]) -> JsonDict:
        forms: JsonDict = {}
        for name, value in {"scope": f"{scope.kind}:{scope.name}", **given}.items():
            forms[name], _ = input_form(value, self._run.vault, self._run.journal.origins, blobs)
        return forms

    def _issue(self, branch: Branch, operation: str, inputs: JsonDict, blobs: list[Blob]) -> Call:
        call = self._run.issue(branch, CallKind.MEMORY, f"memory.{operation}", inputs=inputs)
        call.blobs = blobs
        return call

    def _recorded(self, call: Call, scope: Scope) -> CallRecord | None:
        run = self._run
        plan = self._plan
        fresh = plan is not None and plan.memory == "live" and plan.mode != "before"
        record = run.own_record(call) if fresh else run.recorded(call)
        if record is not None:
            self._passed[scope] = (record.info or {})["memory"]["seq"]
        return record


def _told(scope: Scope, key: str | None, more: Mapping[str, Any]) -> JsonDict:
    return {"scope": [scope.kind, scope.name], "key": key, **more}
