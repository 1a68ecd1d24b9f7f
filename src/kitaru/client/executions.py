"""``client.executions``: reading executions and steering them."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from kitaru.answers import answer
from kitaru.client import following, mapping
from kitaru.client.reading import Reading
from kitaru.errors import KitaruContextError, KitaruStateError, KitaruUsageError
from kitaru.models import (
    Execution,
    PreflightResult,
)
from kitaru.replays import check_replay_options, new_replay
from kitaru.runners import local
from kitaru.runtime import current_execution_id
from kitaru.settings import setting
from kitaru.starting import new_exec_id, owner_of, refuse_running
from kitaru.store.records import ExecutionRecord, JsonDict, Status, WaitKind, WaitRecord

if TYPE_CHECKING:
    pass


ALL = 1_000_000
BUDGET_ERROR = "kitaru.errors:KitaruBudgetExceeded"


def _is_over_budget(row: ExecutionRecord) -> bool:
    described: JsonDict = (row.failure or {}).get("error") or {}
    return row.status is Status.FAILED and described.get("class") == BUDGET_ERROR


class Executions(Reading):
    """Reads executions, and answers, resumes, retries, cancels and replays them."""

    def input(self, exec_id: str, wait: str | None = None, value: Any = None) -> Execution:
        """Answer a pending wait; the execution then goes on by itself.

        Args:
            exec_id: the execution.
            wait: the wait's name or id; may be left out where only one is pending.
            value: the answer.

        Raises:
            KitaruWaitValidationError: when the value does not match the schema; the execution goes on waiting.
            KitaruStateError: when nothing is pending, it was answered already, or ``wait`` is needed and missing.
            KitaruRuntimeError: when the answer is stored but no other process can go on with the flow.
        """
        pending = self._pending(exec_id, wait)
        answer(self._backend.store, self._backend.vault, exec_id, pending, value, "client")
        return self._wake(exec_id)

    def abort_wait(self, exec_id: str, wait: str | None = None) -> Execution:
        """End a pending wait without an answer: the flow gets a ``KitaruExecutionError`` there."""
        pending = self._pending(exec_id, wait)
        if not self._backend.store.settle(exec_id, pending.call_id, "aborted", by="client"):
            raise KitaruStateError(f"Wait {pending.name!r} of execution {exec_id} was settled already.")
        return self._wake(exec_id)

    def _pending(self, exec_id: str, name: str | None) -> WaitRecord:
        self._refuse_in_flow()
        row = self._backend.store.execution(exec_id)
        if row.status.is_finished:
            raise KitaruStateError(
                f"Execution {exec_id} is {row.status.value}: there is nothing left to answer."
            )
        waits = [w for w in self._backend.store.waits(exec_id) if w.kind == WaitKind.INPUT]
        pending = [w for w in waits if w.status == "pending" and name in (None, w.name, w.call_id)]
        if len(pending) == 1:
            return pending[0]
        if len(pending) > 1:
            raise KitaruStateError(
                f"Execution {exec_id} has {len(pending)} open waits: {', '.join(w.call_id for w in pending)}. Name one "
                f"with --wait (wait= in Python)."
            )
        if any(name in (None, w.name, w.call_id) for w in waits):
            raise KitaruStateError(
                f"Execution {exec_id} has no open wait{f' {name!r}' if name else ''} any more: it was answered "
                "already; the first answer counts."
            )
        known = ", ".join(w.name for w in waits) or "none"
        raise KitaruStateError(f"Execution {exec_id} has no wait {name or ''!r}. Its waits: {known}.")

    def _wake(self, exec_id: str) -> Execution:
        row = self._backend.store.execution(exec_id)
        nobody_runs_it = row.status is Status.RUNNING and owner_of(self._backend, row) is None
        if nobody_runs_it or exec_id in self._backend.store.wakeable(limit=ALL):
            self._launch(row)
        return self.get(exec_id)

    def _launch(self, row: ExecutionRecord) -> None:
        local.launch(self._backend.store, row, self._backend.objects_url)

    def resume(self, exec_id: str, budget_usd: float | None = None) -> Execution:
        """Go on with an execution whose runner died, whose wait was answered, or whose budget was spent, in a detached
        local runner. Of one that waits for a child whose runner died, the child goes on.

        Args:
            exec_id: the execution.
            budget_usd: what its model calls may cost from its start on, in US dollars; default: as before.

        Raises:
            KitaruUsageError: for a budget that is spent already.
            KitaruStateError: when it has finished, is running, or waits for something.
            KitaruRuntimeError: when no other process can go on with the flow.
        """
        self._refuse_in_flow()
        row = self._backend.store.execution(exec_id)
        if budget_usd is not None or _is_over_budget(row):
            self._raise_budget(row, budget_usd)
            if _is_over_budget(row):
                return self.retry(exec_id)
        if row.status.is_finished:
            what = "retry" if row.status in (Status.FAILED, Status.CANCELLED) else "replay"
            raise KitaruStateError(
                f"Execution {exec_id} is {row.status.value}. To run it again: `kitaru executions {what} {exec_id}`."
            )
        if row.status is Status.RUNNING:
            refuse_running(self._backend, row)
        elif exec_id not in self._backend.store.wakeable(limit=ALL):
            orphan = self._orphan_of(row)
            if orphan is None:
                raise KitaruStateError(self._what_it_waits_for(row))
            self.resume(orphan)
            return self.get(exec_id)
        # A database that cannot be written is told here, and not in the runner's log alone.
        self._backend.store.merge_metadata(exec_id, {})
        launched_at = self._backend.store.now()
        self._launch(row)
        following.until_taken(self._backend.store, row, launched_at)
        return self.get(exec_id)

    def _orphan_of(self, row: ExecutionRecord) -> str | None:
        """A child that it waits for, or that one of those waits for, whose runner died."""
        for wait in self._backend.store.waits(row.exec_id):
            if wait.status != "pending" or wait.child_exec_id is None:
                continue
            child = self._backend.store.execution(wait.child_exec_id)
            if child.status is Status.RUNNING and owner_of(self._backend, child) is None:
                return child.exec_id
            found = self._orphan_of(child)
            if found is not None:
                return found
        return None

    def _what_it_waits_for(self, row: ExecutionRecord) -> str:
        pending = [w for w in self._backend.store.waits(row.exec_id) if w.status == "pending"]
        questions = [w.name for w in pending if w.kind == WaitKind.INPUT]
        if questions:
            return (
                f"Execution {row.exec_id} waits for {', '.join(map(repr, questions))}. Answer with "
                f"`kitaru executions input {row.exec_id} --value JSON`; it then goes on by itself."
            )
        children = [w.child_exec_id for w in pending if w.child_exec_id]
        if children:
            return f"Execution {row.exec_id} waits for its child {children[0]}, and goes on by itself when that ends."
        return (
            f"Execution {row.exec_id} sleeps until {mapping.moment(row.wake_at)}, and goes on by itself then."
        )

    def _raise_budget(self, row: ExecutionRecord, budget_usd: float | None) -> None:
        limit = row.spec.get("budget_usd") if budget_usd is None else budget_usd
        spent = self._backend.store.reads.usage([row.exec_id])[row.exec_id]["cost_usd"] or 0.0
        if limit is not None and spent >= limit:
            raise KitaruUsageError(
                f"Execution {row.exec_id} has spent ${spent:.6f} of its model calls' budget, and ${limit:g} is no more "
                f"than that. Type `kitaru executions resume {row.exec_id} --budget-usd AMOUNT` with a higher one."
            )
        if budget_usd is not None:
            self._backend.store.merge_spec(row.exec_id, {"budget_usd": budget_usd})

    def retry(self, exec_id: str, budget_usd: float | None = None) -> Execution:
        """Run a failed or cancelled execution again, in a detached local runner. What completed stays; only the
        failures that ended it run again. ``budget_usd``: see ``resume``.

        Raises:
            KitaruUsageError: for a budget that is spent already.
            KitaruStateError: when it did not fail.
            KitaruRuntimeError: when no other process can go on with the flow.
        """
        self._refuse_in_flow()
        row = self._backend.store.execution(exec_id)
        if row.status not in (Status.FAILED, Status.CANCELLED):
            more = " See `kitaru executions resume`." if row.status is Status.RUNNING else ""
            raise KitaruStateError(
                f"Execution {exec_id} is {row.status.value}; only a failed or cancelled one can be retried.{more}"
            )
        local.check(row)
        if budget_usd is not None:
            self._raise_budget(row, budget_usd)
        self._launch(self._backend.store.reopen(exec_id, (row.failure or {}).get("calls", [])))
        return self.get(exec_id)

    def cancel(self, exec_id: str) -> Execution:
        """Cancel: a running checkpoint is told, a waiting execution ends at once; children too.

        Raises:
            KitaruStateError: when it has finished already.
        """
        self._refuse_in_flow()
        backend = self._backend
        row = backend.store.execution(exec_id)
        if row.status.is_finished:
            raise KitaruStateError(f"Execution {exec_id} is {row.status.value} already.")
        backend.store.request_cancel(exec_id, dead_owner=backend.runner.dead_owner(row))
        if row.parent_exec_id is not None:
            self._wake(row.parent_exec_id)
        return self.get(exec_id)

    def replay(
        self,
        exec_id: str,
        from_: str | None = None,
        overrides: dict[str, Any] | None = None,
        effects: str | None = None,
        memory: str | None = None,
        **inputs: Any,
    ) -> Execution:
        """Run an execution again as a new one, in a detached local runner; see ``Flow.replay``.

        Raises:
            KitaruStateError: for an unknown id, or a selector that means no call or several.
            KitaruUsageError: for an unknown override or input.
        """
        self._refuse_in_flow()
        plan_effects, plan_memory = check_replay_options(effects, memory)
        backend = self._backend
        local.check(backend.store.execution(exec_id))
        new = new_replay(
            backend.store,
            backend.vault,
            exec_id,
            new_exec_id(),
            from_,
            overrides,
            inputs,
            plan_effects,
            plan_memory,
        )
        self._launch(backend.store.create(new).execution)
        return self.get(new.exec_id)

    def preflight(self, flow: str | None = None, timeout: float = 60.0) -> builtins.list[PreflightResult]:
        """Before a deploy: what the code as it stands now would do with every running or waiting execution.

        Each is run against its journal in a process of its own. No checkpoint's body runs and nothing is written; what
        a flow's body does outside of checkpoints is done.

        Args:
            flow: only executions of this flow.
            timeout: seconds for each.

        Example:
            >>> # assert all(result.is_safe for result in KitaruClient().executions.preflight())
        """
        from kitaru.client.preflight import preflight

        return preflight(self._backend, flow, timeout)

    def sweep(self) -> None:
        """Launch what is ready or due and was not launched, for example because who answered died before it could, and
        see to it that a timer process serves those that sleep. With ``allow_pickle = false`` nothing is launched
        unasked: what a flow's process runs stands in the store as well.
        """
        if not setting("allow_pickle"):
            return
        store = self._backend.store
        local.launch_all(store, store.wakeable(), self._backend.objects_url)
        if store.next_wake() is not None:
            local.ensure_timer(store.url, self._backend.objects_url)

    @staticmethod
    def _refuse_in_flow() -> None:
        if current_execution_id() is not None:
            raise KitaruContextError(
                "The client was used to change an execution from inside a flow, where a resume would do it again. "
                "Do it from outside; to start or wait for another flow use its .run() in the flow's body."
            )
