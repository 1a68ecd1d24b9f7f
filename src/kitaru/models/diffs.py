"""Two executions, or two artifacts, side by side."""

from __future__ import annotations

from typing import Any

from kitaru.models.artifacts import ArtifactRef
from kitaru.models.base import Model
from kitaru.models.calls import CheckpointCall
from kitaru.models.executions import Execution


class ValueDiff(Model):
    """A value on both sides: an input, an output, a result. ``same``: its digests are equal."""

    name: str
    same: bool
    a: ArtifactRef | None
    b: ArtifactRef | None


class CallDiff(Model):
    """A call on both sides.

    Attributes:
        change: ``same``; ``reused``: one side took the other's record; ``changed``; ``only_a`` or ``only_b``.
        a: the call of the first execution; its durations, attempts, cost and failure stand beside those of ``b``. Where
            both are the same, neither shows its inputs and artifacts: ``client.artifacts.list`` has them.
        inputs: where the call was changed, all of them, as ``output``.
    """

    call_id: str
    name: str
    change: str
    a: CheckpointCall | None
    b: CheckpointCall | None
    inputs: list[ValueDiff] = []
    output: ValueDiff | None = None


class ExecutionDiff(Model):
    """Two executions side by side; calls in the order of the first, then those of the second alone."""

    a: Execution
    b: Execution
    inputs: list[ValueDiff]
    calls: list[CallDiff]
    result: ValueDiff


class ValueChange(Model):
    """One place where two structures differ.

    Attributes:
        path: where, from ``root``.
        kind: ``values_changed``, ``type_changes``, ``dictionary_item_added``, ``iterable_item_removed``, …
        before: the first side's part as JSON types; None where there is none.
    """

    path: str
    kind: str
    before: Any = None
    after: Any = None


class ArtifactDiff(Model):
    """Two artifacts side by side.

    Attributes:
        kind: ``same``, ``structure`` (see ``changes``), ``text`` (see ``text``, a unified diff) or ``bytes`` (see the
            sizes and digests of ``a`` and ``b``).
    """

    a: ArtifactRef
    b: ArtifactRef
    kind: str
    changes: list[ValueChange] = []
    text: str | None = None
