"""What a replay is asked to do, resolved against the execution that it repeats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast, get_args

from kitaru.engine.replay import Effects, Memory, Mode, ReplayPlan
from kitaru.engine.vault import Vault
from kitaru.errors import KitaruStateError, KitaruUsageError
from kitaru.store.protocol import Store
from kitaru.store.records import Blob, CallKind, CallRecord, ExecutionRecord, JsonDict, NewExecution

SHOWN_CANDIDATES = 20


def plan_replay(
    store: Store,
    vault: Vault,
    original: ExecutionRecord,
    from_: str | None,
    overrides: dict[str, Any] | None,
    new_inputs: dict[str, Any],
) -> tuple[ReplayPlan, JsonDict, list[Blob]]:
    """The plan, the flow's inputs and their blobs.

    Raises:
        KitaruStateError: for a selector that names no call, or several.
        KitaruUsageError: for an override of an unknown kind, or an unknown input.
    """
    calls = store.reads.call_summaries(original.exec_id)
    blobs: list[Blob] = []
    inputs = dict(original.inputs)
    outputs: dict[str, JsonDict] = {}
    answers: dict[str, JsonDict] = {}
    touched: list[int] = []
    changed_inputs = dict(new_inputs)
    for key, value in (overrides or {}).items():
        kind, _, name = key.partition(".")
        if kind == "input" and name:
            changed_inputs[name] = value
        elif kind in ("checkpoint", "wait") and name:
            call = select(calls, name, original.exec_id, kind=kind)
            form, kept = vault.put_json(value)
            blobs += kept
            (outputs if kind == "checkpoint" else answers)[call.call_id] = form
            touched.append(call.position + 1)
        else:
            raise KitaruUsageError(
                f"Override {key!r} is not one: write checkpoint.<name>, wait.<name> or input.<parameter>."
            )
    for name, value in changed_inputs.items():
        if name not in inputs:
            raise KitaruUsageError(
                f"Flow {original.flow_name!r} has no recorded input {name!r}; it has: {', '.join(inputs) or 'none'}."
            )
        inputs[name], kept = vault.put_json(value)
        blobs += kept
    mode, cut = _cut(calls, original, from_, touched, bool(changed_inputs))
    return ReplayPlan(original.exec_id, mode, cut, outputs, answers), inputs, blobs


def _cut(
    calls: list[CallRecord],
    original: ExecutionRecord,
    from_: str | None,
    touched: list[int],
    inputs_changed: bool,
) -> tuple[Mode, int | None]:
    if from_ == "changed":
        return "changed", None
    if from_ is not None:
        return "before", select(calls, from_, original.exec_id).position
    if inputs_changed:
        return "inputs", min(touched, default=None)
    if touched:
        return "before", min(touched)
    failed = [call.position for call in calls if call.status != "completed"]
    return "before", min(failed, default=None)


def select(calls: list[CallRecord], selector: str, exec_id: str, kind: str | None = None) -> CallRecord:
    """The one call that ``selector`` (a call id or a name) means.

    Raises:
        KitaruStateError: when it means none, or several; the candidates are listed.
    """
    wanted = [c for c in calls if kind is None or c.kind == kind]
    exact = [c for c in wanted if c.call_id == selector]
    if exact:
        return exact[0]
    named = [c for c in wanted if c.name == selector]
    if len(named) == 1:
        return named[0]
    if not named:
        raise KitaruStateError(
            f"Execution {exec_id} has no call {selector!r}. It has: {_listed(wanted) or 'none'}."
        )
    raise KitaruStateError(
        f"{selector!r} means {len(named)} calls of execution {exec_id}. Name one of them: {_listed(named)}."
    )


def _listed(calls: list[CallRecord]) -> str:
    shown = [c.call_id for c in calls if c.kind in (CallKind.CHECKPOINT, CallKind.WAIT, CallKind.SLEEP)]
    more = f", and {len(shown) - SHOWN_CANDIDATES} more" if len(shown) > SHOWN_CANDIDATES else ""
    return ", ".join(shown[:SHOWN_CANDIDATES]) + more


def new_replay(
    store: Store,
    vault: Vault,
    exec_id: str,
    new_id: str,
    from_: str | None,
    overrides: dict[str, Any] | None,
    new_inputs: dict[str, Any],
    effects: Effects = "recorded",
    memory: Memory = "as_of",
) -> NewExecution:
    """The execution that repeats ``exec_id``, ready to be created."""
    original = store.execution(exec_id)
    plan, inputs, blobs = plan_replay(store, vault, original, from_, overrides, new_inputs)
    # Aliases of models are those of its own first model call.
    spec = {key: value for key, value in original.spec.items() if key != "models"}
    spec["replay"] = replace(plan, effects=effects, memory=memory).to_json()
    return NewExecution(
        new_id,
        original.flow_name,
        original.flow_id,
        spec,
        inputs,
        blobs,
        stack_name=original.stack_name,
        original_exec_id=exec_id,
    )


def check_replay_options(effects: str | None, memory: str | None) -> tuple[Effects, Memory]:
    """How a replay answers effects, and which memory it sees.

    Raises:
        KitaruUsageError: for anything else than ``ReplayPlan`` knows.
    """
    if memory not in (None, *get_args(Memory)):
        raise KitaruUsageError(f'memory takes "as_of" or "live", not {memory!r}.')
    if effects not in (None, *get_args(Effects)):
        raise KitaruUsageError(f'effects takes "recorded", "ask" or "live", not {effects!r}.')
    return cast("Effects", effects or "recorded"), cast("Memory", memory or "as_of")
