"""A flow that runs: the one owner of its journal in this process."""

from __future__ import annotations

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kitaru.engine import divergence
from kitaru.engine.budget import Budget
from kitaru.engine.calls import Call, CallSpec, Outcome, adopted_info, bind, cache_key, ended_record
from kitaru.engine.causes import Raised
from kitaru.engine.interrupts import Interruptible
from kitaru.engine.journal import Journal
from kitaru.engine.replay import reused_info
from kitaru.engine.scope import Branch, CheckpointScope
from kitaru.engine.signals import Cancelled, FlowSignal, LeaseLost, Suspended, TimedOut
from kitaru.engine.trails import Trails
from kitaru.engine.vault import Vault
from kitaru.errors import FailureOrigin, KitaruDivergenceError, KitaruUsageError
from kitaru.payloads import describe, immutable, rebuild, rebuildable
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import (
    AttemptRecord,
    Blob,
    CallKind,
    CallRecord,
    ExecutionRecord,
    IntentRecord,
    JsonDict,
    LinkRecord,
    Payload,
    WaitRecord,
)

if TYPE_CHECKING:
    from kitaru.engine.jobs import CallFuture
    from kitaru.engine.memory import RunMemory
    from kitaru.engine.runner import Runner
    from kitaru.engine.waiting import Pending


@dataclass(frozen=True)
class FlowCode:
    """A flow as the engine runs it."""

    name: str
    function: Callable[..., Any]
    is_async: bool


@dataclass
class Run(ABC):
    """What sync and async flows share: calls are issued, answered from the journal, executed and recorded here."""

    execution: ExecutionRecord
    code: FlowCode
    store: Store
    vault: Vault
    runner: Runner
    journal: Journal
    cache_default: bool = False
    signal: FlowSignal | None = None
    raised: list[Raised] = field(default_factory=list[Raised])
    bodies: Interruptible = field(default_factory=Interruptible)
    changed: threading.Condition = field(default_factory=threading.Condition)
    thread_id: int = 0
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._positions = itertools.count(1)
        self.exec_id = self.execution.exec_id
        self.budget = Budget(self)
        self.trails = Trails(self.code.function, self.execution.inputs, self.journal.origins)

    @abstractmethod
    def main(self) -> Any:
        """Run the flow's body to its end on this thread; returns its result."""

    @abstractmethod
    def call(self, spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], key: str | None) -> Any:
        """A checkpoint called directly."""

    @abstractmethod
    def submit(
        self,
        spec: CallSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: str | None,
        after: Iterable[CallFuture[Any]],
    ) -> CallFuture[Any]:
        """A checkpoint to run side by side with what follows."""

    @abstractmethod
    def ask(self, pending: Pending) -> CallRecord:
        """The record of a wait that a call's body needs settled; blocks this thread until then."""

    @abstractmethod
    def block(self, ready: Callable[[], bool]) -> None:
        """Block the flow's thread until ``ready``; suspends when only questions are left."""

    @cached_property
    def memory(self) -> RunMemory:
        """The memory as this execution sees it."""
        from kitaru.engine.memory import RunMemory

        return RunMemory(self)

    def before_memory(self, call: Call, *, writes: bool) -> None:
        """A read or write of memory that is not on record is about to be made."""
        return

    # ---------------------------------------------------------------- signals

    def interrupt(self, signal: FlowSignal) -> None:
        """Close the flow: every durable call from now on raises ``signal``; who waits is woken. The first one wins."""
        with self.changed:
            if self.signal is None:
                self.signal = signal
            self.changed.notify_all()

    def check_open(self) -> None:
        """Raise the signal when the flow was closed."""
        if self.signal is not None:
            raise self.signal

    def check_thread(self) -> None:
        """Raise when a durable call is made from a thread that is not the flow's own."""
        self.check_open()
        if threading.get_ident() != self.thread_id:
            raise KitaruUsageError(
                f"A durable call was made from another thread than the body of flow {self.code.name!r} runs on, "
                "where its order cannot be repeated. Call it from the flow's body; to run checkpoints side by side "
                "use `.submit()` or `.map()`, or asyncio.gather over async checkpoints."
            )

    @property
    def active_seconds(self) -> float:
        """Seconds for which this run has been working."""
        return time.monotonic() - self.began

    @property
    def timeout_left(self) -> float | None:
        """Seconds until the flow's own timeout; None without one."""
        timeout = self.execution.spec.get("timeout")
        if timeout is None:
            return None
        return timeout - self.execution.active_seconds - self.active_seconds

    def beat(self, *, held: bool, cancel_requested: bool) -> None:
        """Take what a heartbeat found out."""
        left = self.timeout_left
        if not held:
            self.interrupt(LeaseLost(self.exec_id))
        elif cancel_requested:
            self.interrupt(Cancelled(self.exec_id))
        elif left is not None and left <= 0:
            self.interrupt(TimedOut(self.exec_id, self.execution.spec["timeout"]))

    # ---------------------------------------------------------------- issuing calls

    def issue(
        self, branch: Branch, kind: str, name: str, *, key: str | None = None, inputs: JsonDict | None = None
    ) -> Call:
        """Number a call. ``key`` is the user's own name for it, in place of name and ordinal."""
        call_id = f"{branch.path}{name}@{key}" if key is not None else branch.number(name)
        call = Call(call_id, next(self._positions), kind, name, inputs)
        self.trails.note(branch.trail, call)
        if inputs:
            call.inputs = self.trails.given(call, inputs)
        return call

    def issue_checkpoint(self, branch: Branch, spec: CallSpec, key: str | None) -> Call:
        """Number a checkpoint's call; its inputs are bound later by ``bind``."""
        call = self.issue(branch, CallKind.CHECKPOINT, spec.name, key=key)
        call.spec = spec
        return call

    def bind(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Bind and digest the inputs of a checkpoint's call."""
        assert call.spec is not None
        call.inputs, call.blobs, call.args, call.kwargs = bind(
            call.spec, args, kwargs, self.vault, self.journal.origins
        )
        self.trails.mark(call, call.inputs)

    def recorded(self, call: Call) -> CallRecord | None:
        """The record that answers this call: its own, else the replayed original's, else an equal cached one.

        Raises ``KitaruDivergenceError`` when the journal holds another call under its identity.
        """
        record = self.own_record(call)
        if record is None:
            record = self.reusable(call)
            if record is not None:
                self.adopt(call, record)
        return record or self.recorded_elsewhere(call)

    def own_record(self, call: Call) -> CallRecord | None:
        """What this execution's own journal holds for the call."""
        record = self.journal.find(call.call_id)
        if record is None:
            return None
        try:
            divergence.check(record, call, self.exec_id)
        except KitaruDivergenceError as error:
            self.remember(error, call.call_id, FailureOrigin.DIVERGENCE)
            raise
        return record

    def reusable(self, call: Call) -> CallRecord | None:
        """In a replay, the original's record that stands for the call, with its original ``seq``; not yet adopted."""
        effect = call.spec is not None and call.spec.effect is not None
        return self.journal.offer(call.call_id, call.kind, call.name, call.inputs, call.code, effect=effect)

    def adopt(self, call: Call, record: CallRecord, links: Sequence[LinkRecord] = ()) -> None:
        """Commit another execution's record as this call's own."""
        record.position, record.inputs, record.kind = call.position, call.inputs, call.kind
        record.code_digest, record.cache_key = call.code, self.key_of(call)
        record.started_at = record.ended_at = time.time()
        record.info = adopted_info(record.info, call)
        self.commit([record], blobs=call.blobs, links=links)

    def recorded_elsewhere(self, call: Call) -> CallRecord | None:
        """The record of an equal call of an earlier execution, when caching is on; adopted."""
        record = self._cached(call)
        if record is not None:
            taken: str = (record.info or {})["cached_from"]
            link = LinkRecord(call.call_id, "cache", taken.partition("/")[0], f"{taken}/output")
            self.adopt(call, record, [link])
        return record

    def _cached(self, call: Call) -> CallRecord | None:
        key = self.key_of(call)
        if key is None or self.journal.replays:
            return None
        hit = self.store.cached(key)
        if hit is None:
            return None
        exec_id, record = hit
        info = {k: v for k, v in reused_info(record).items() if k in ("type", "saved")}
        record.info = {**info, "cached_from": f"{exec_id}/{record.call_id}"}
        record.call_id = call.call_id
        return record

    def key_of(self, call: Call) -> str | None:
        """The cache key of a call for which caching is on."""
        if call.spec is None:
            return None
        wanted = self.cache_default if call.spec.cache is None else call.spec.cache
        return cache_key(self.code.name, call) if wanted and call.spec.effect is None else None

    # ---------------------------------------------------------------- recording

    def commit(self, calls: Sequence[CallRecord] = (), **parts: Any) -> None:
        """Append to the journal; a lost lease closes the flow, and so does the store when it is lost for good."""
        try:
            self.journal.append(calls, **parts)
        except Fenced as error:
            self.interrupt(LeaseLost(self.exec_id))
            raise LeaseLost(self.exec_id) from error

    def pin(self, more: JsonDict) -> None:
        """Keep in the execution's spec what holds from now on, over resumes too."""
        try:
            self.store.merge_spec(self.exec_id, more, self.journal.epoch)
        except Fenced as error:
            self.interrupt(LeaseLost(self.exec_id))
            raise LeaseLost(self.exec_id) from error
        self.execution.spec.update(more)

    def build(self, call: Call, outcome: Outcome) -> tuple[CallRecord, list[Blob], BaseException | None]:
        """The record of an outcome and its blobs. An output that cannot be encoded is a failure of the call."""
        error = outcome.error
        output: Payload | None = None
        blobs = [*call.blobs, *outcome.blobs]
        if error is None:
            try:
                output, kept = self.vault.put(outcome.value)
                blobs += kept
            except KitaruUsageError as unencodable:
                outcome.unknown = call.spec is not None and call.spec.effect is not None
                error = outcome.error = KitaruUsageError(
                    f"The output of call {call.call_id!r} cannot be stored: {unencodable}"
                )
        record = ended_record(call, outcome, self.key_of(call))
        record.output = output
        if error is not None:
            record.error = self.describe(outcome)
        return record, blobs, error

    def instant(self, call: Call, draw: Callable[[], Any], metadata: JsonDict | None = None) -> Any:
        """A call without a body (``now``, ``log``): answered from the journal, or drawn and committed now."""
        record = self.recorded(call)
        if record is not None:
            return self.deliver(record)
        moment = time.time()
        outcome = Outcome(draw(), started_at=moment, ended_at=moment)
        record, blobs, _ = self.build(call, outcome)
        self.commit([record], blobs=blobs, metadata=metadata)
        return self.deliver(record, outcome)

    def record(self, call: Call, outcome: Outcome) -> CallRecord:
        """Commit a call that ended, with all that it saved."""
        record, blobs, error = self.build(call, outcome)
        links = [] if error else [*outcome.links.values()]
        self.commit([record], artifacts=outcome.artifacts, blobs=blobs, links=links)
        return record

    def record_attempt(self, call: Call, attempt: int, outcome: Outcome) -> None:
        """Commit a failed attempt that another will follow."""
        assert outcome.error is not None
        failed = AttemptRecord(
            call.call_id, attempt, self.describe(outcome), outcome.started_at, outcome.ended_at
        )
        self.commit(attempts=[failed])
        self.journal.note_attempt(failed)

    def intend(self, call: Call, attempt: int) -> None:
        """Commit that an attempt of an effect starts now."""
        self.commit(intents=[IntentRecord(call.call_id, attempt, time.time())])

    def describe(self, outcome: Outcome) -> JsonDict:
        """The exception of an outcome as it stands in the journal, with its origin."""
        assert outcome.error is not None
        described = describe(outcome.error)
        timed_out = getattr(outcome.error, "__kitaru_timeout__", False)
        described["origin"] = FailureOrigin.TIMEOUT if timed_out else FailureOrigin.USER_CODE
        if outcome.unknown:
            described["unknown"] = True
            described["origin"] = FailureOrigin.UNKNOWN
        return described

    # ---------------------------------------------------------------- delivering

    def deliver(self, record: CallRecord, outcome: Outcome | None = None) -> Any:
        """Give a call's outcome to the flow: the decoded value, or the exception, raised.

        ``outcome`` is what just happened in this process, if it did: immutable values and exceptions that can be
        rebuilt are then handed on as they are.
        """
        if record.status == "completed":
            if record.output is None:
                return None
            if outcome is not None and immutable(outcome.value):
                return outcome.value
            return self.vault.get(record.output)
        assert record.error is not None
        origin = FailureOrigin(record.error.get("origin", FailureOrigin.USER_CODE))
        if outcome is not None and outcome.error is not None and rebuildable(record.error):
            error = outcome.error
        else:
            error = rebuild(record.error, allow_import=self.vault.allow_pickle)
            if outcome is not None:
                error.__cause__ = outcome.error
        self.remember(error, record.call_id, origin)
        raise error

    def remember(self, error: BaseException, call_id: str, origin: FailureOrigin) -> None:
        """Keep which call an exception came from, so that a failure of the flow can be traced to it."""
        self.raised.append(Raised(error, call_id, origin))

    def ensure_lease(self) -> None:
        """Before a body starts: the lease must be alive by this machine's clock."""
        self.check_open()
        self.runner.ensure_lease(self)

    # ---------------------------------------------------------------- waits

    def settle_due(self, wait: WaitRecord) -> None:
        """A wait whose time has come: a timer is answered, a question expires."""
        if wait.due_at is not None and wait.status == "pending" and self.store.now() >= wait.due_at:
            status = "answered" if wait.kind == "timer" else "expired"
            self.store.settle(self.exec_id, wait.call_id, status, by="timer")

    def try_suspend(self) -> bool:
        """Release the compute. True: the flow is closed now. False: something happened, go on."""
        self.runner.flush(self.store)
        if not self.store.suspend(self.exec_id, self.journal.epoch, self.active_seconds):
            return False
        self.runner.let_go(self)
        self.interrupt(Suspended())
        return True


def checkpoint_scope(run: Run, call: Call, attempt: int) -> CheckpointScope:
    """The scope of one attempt's body."""
    return CheckpointScope(run, call.call_id, call.name, attempt)
