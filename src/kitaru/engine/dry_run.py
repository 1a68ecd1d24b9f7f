"""Runs a flow against its journal without running any checkpoint's body and without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from kitaru.engine.async_flow import AsyncRun, Started
from kitaru.engine.boundaries import BOUNDARIES
from kitaru.engine.calls import Call, CallSpec
from kitaru.engine.jobs import CallFuture, Jobs
from kitaru.engine.journal import Journal
from kitaru.engine.replay import ReplayPlan, Reuse
from kitaru.engine.run import FlowCode
from kitaru.engine.runner import Runner
from kitaru.engine.signals import FlowSignal
from kitaru.engine.sync_flow import SyncRun
from kitaru.engine.vault import Vault
from kitaru.engine.waiting import Pending, Waits
from kitaru.engine.waiting_run import WaitingRun
from kitaru.errors import FailureOrigin, KitaruRuntimeError
from kitaru.store.protocol import Store
from kitaru.store.records import CallKind, CallRecord, ExecutionRecord, JsonDict, WaitRecord


class DryEnd(FlowSignal):
    """The flow came to the end of what is recorded."""

    def __init__(self) -> None:
        super().__init__("this flow only repeats what is recorded, and has come to the end of it")


@dataclass
class Findings:
    """What a dry run came upon.

    Attributes:
        new: calls that the flow makes and the journal does not hold, in order.
        unasked: recorded calls that the flow has not made by then.
        waits: open waits that it reached again.
        ended: it came to the end of its body.
        diverged: why it is not the flow that was recorded.
        raised: what else it raised.
    """

    new: list[str] = field(default_factory=list[str])
    unasked: list[str] = field(default_factory=list[str])
    waits: list[str] = field(default_factory=list[str])
    ended: bool = False
    diverged: str | None = None
    raised: BaseException | None = None


def read_only(store: Store) -> Store:
    """The store, with every way to commit closed."""
    return cast("Store", _ReadOnly(store))


class _ReadOnly:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name in ("take", "settle"):
            return _changes_nothing
        if name in (*BOUNDARIES, "tell", "heartbeat"):
            raise KitaruRuntimeError(f"A dry run came to {name}(), which writes. Please report this.")
        return getattr(self._store, name)


def _changes_nothing(*_args: object, **_options: object) -> None:
    """No lease is given; no wait is settled."""


def dry_run(store: Store, vault: Vault, folder: Path, execution: ExecutionRecord, code: FlowCode) -> Findings:
    """Run the flow as it stands now against its execution's journal.

    ``store`` is a ``read_only`` one. What the flow's body does outside of checkpoints is done.
    """
    runner = Runner(store, vault, folder, lambda _: None)
    plan = execution.spec.get("replay")
    reuse = Reuse(store, ReplayPlan.from_json(plan)) if plan else None
    journal = Journal(store, execution.exec_id, execution.epoch, reuse, inputs=execution.inputs)
    kind: Any = _DryAsync if code.is_async else _DrySync
    run: _DryRun = kind(
        execution, code, store, vault, runner, journal, cache_default=bool(execution.spec.get("cache"))
    )
    findings = run.findings
    try:
        run.main()
    except BaseException as error:
        if run.signal is None:
            findings.raised = error
    findings.ended = run.signal is None and findings.raised is None
    for raised in run.raised:
        if raised.origin is FailureOrigin.DIVERGENCE:
            findings.diverged = str(raised.error)
    findings.waits += [call_id for call_id in run.waits.opened if call_id in run.known]
    findings.unasked = journal.remaining()
    return findings


@dataclass
class _DryRun(WaitingRun):
    """What both kinds of flow share: the journal answers, and what it does not hold is noted."""

    findings: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.jobs = _DryJobs(self, self.branch, self.wake)
        self.waits = _DryWaits(self)
        self.waits.refresh()
        self.known = set(self.waits.known)
        self.questions = {str((w.metadata or {}).get("effect")): w.call_id for w in self.waits.known.values()}

    def note(self, call: Call) -> None:
        """The flow makes a call that is not recorded: a new one, or an effect that somebody was asked about."""
        if call.call_id in self.questions:
            self.findings.waits.append(self.questions[call.call_id])
        else:
            self.findings.new.append(call.call_id)

    def stop(self) -> DryEnd:
        """Close the flow."""
        end = DryEnd()
        self.interrupt(end)
        return end

    def commit(self, calls: Sequence[CallRecord] = (), **parts: Any) -> None:
        """Nothing is written."""

    def settle_due(self, wait: WaitRecord) -> None:
        """Nothing is written."""

    def instant(self, call: Call, draw: Callable[[], Any], metadata: JsonDict | None = None) -> Any:
        """Answered from the journal; a child that is not recorded is not started."""
        record = self.recorded(call)
        if record is not None:
            return self.deliver(record)
        self.note(call)
        if call.kind == CallKind.CHILD:
            raise self.stop()
        return draw()

    def before_memory(self, call: Call, *, writes: bool) -> None:
        """Nothing is written; what is read is read."""
        self.note(call)
        if writes:
            raise self.stop()

    def try_suspend(self) -> bool:
        """The flow has come to waits that are open."""
        self.interrupt(DryEnd())
        return True

    def block(self, ready: Callable[[], bool]) -> None:
        """Nothing happens on other threads."""
        if not ready():
            raise self.stop()


class _DryWaits(Waits):
    def open(self, pending: Pending) -> None:
        run = cast("_DryRun", self.run)
        if pending.call.call_id not in self.known:
            run.note(pending.call)
        super().open(pending)

    def may_suspend(self, pending: Pending) -> bool:
        return True


class _DryJobs(Jobs):
    def submit(
        self,
        spec: CallSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None,
        after: Iterable[CallFuture[Any]],
    ) -> CallFuture[Any]:
        run = cast("_DryRun", self._run)
        run.check_thread()
        call = run.issue_checkpoint(self._branch_of(), spec, key)
        future: CallFuture[Any] = CallFuture(run)
        if not self.answer_now(call, args, kwargs, future, after):
            run.note(call)
        return future


@dataclass
class _DrySync(_DryRun, SyncRun):
    def call(self, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None) -> Any:
        self.check_thread()
        return _answered_or_stopped(self, spec, args, kwargs, key)


@dataclass
class _DryAsync(_DryRun, AsyncRun):
    def call(self, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None) -> Any:
        if spec.is_async:
            return super().call(spec, args, kwargs, key)
        self.check_thread()
        return _answered_or_stopped(self, spec, args, kwargs, key)

    def _start(self, started: Started) -> None:
        self.note(started.call)

    def _on_idle(self) -> bool | float | None:
        going = super()._on_idle()
        if going is None and self.signal is None:
            self.interrupt(DryEnd())
            return True
        return going


def _answered_or_stopped(
    run: _DryRun, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None
) -> Any:
    call = run.issue_checkpoint(run.branch(), spec, key)
    run.bind(call, args, kwargs)
    record = run.recorded(call)
    if record is None:
        run.note(call)
        raise run.stop()
    return run.deliver(record)
