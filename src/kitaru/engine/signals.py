"""What ends a flow's body from inside the engine.

All are ``BaseException``: an ``except Exception`` in a flow or a checkpoint lets them pass. A bare ``except:`` or
``except BaseException:`` that swallows one changes nothing that is recorded: the flow is closed by then, and its next
durable call raises again.
"""

from __future__ import annotations


class FlowSignal(BaseException):
    """The root of the signals; never recorded as an outcome."""


class Suspended(FlowSignal):
    """The execution waits and its compute is released; the flow runs again from the top when it is woken."""

    def __init__(self) -> None:
        super().__init__(
            "this flow is suspended: its journal is closed, and it will run again from the top when its wait ends. "
            "If you see this in your own code, let it pass: catch Exception, not BaseException."
        )


class Cancelled(FlowSignal):
    """The execution was cancelled; raised in the bodies that run."""

    def __init__(self, exec_id: str) -> None:
        super().__init__(f"execution {exec_id} was cancelled")


class TimedOut(FlowSignal):
    """The flow's own timeout passed; raised in the bodies that run."""

    def __init__(self, exec_id: str, seconds: float) -> None:
        super().__init__(f"execution {exec_id} ran for longer than its timeout of {seconds:g} s")
        self.seconds = seconds


class BudgetExceeded(FlowSignal):
    """The next model call would begin above a budget; the execution can be resumed with a higher one."""

    def __init__(self, exec_id: str, limit: float, spent: float, reserved: float) -> None:
        under_way = f", and calls on their way may cost ${reserved:.6f}" if reserved else ""
        super().__init__(
            f"execution {exec_id} has a budget of ${limit:g}: ${spent:.6f} is spent{under_way}. Go on with "
            f"`kitaru executions resume {exec_id} --budget-usd AMOUNT`; what is recorded is not paid again."
        )


class LeaseLost(FlowSignal):
    """Another runner holds the execution now; this one has recorded nothing since and must end."""

    def __init__(self, exec_id: str) -> None:
        super().__init__(
            f"execution {exec_id} was taken over by another runner; this one stops and writes nothing"
        )


class StorageLost(FlowSignal):
    """The store failed for good while a result had to be recorded; the execution can be resumed."""

    def __init__(self, exec_id: str, cause: BaseException) -> None:
        super().__init__(f"execution {exec_id} could not be recorded: {cause}")
        self.cause = cause


class Stopped(FlowSignal):
    """The process was asked to end; the lease is given back and the execution can be resumed."""

    def __init__(self, exec_id: str) -> None:
        super().__init__(
            f"execution {exec_id} was stopped here; go on with `kitaru executions resume {exec_id}`"
        )
