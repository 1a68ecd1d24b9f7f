"""Model and tool calls, and what they cost, as the models that users see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kitaru.backend import Backend
from kitaru.client import mapping
from kitaru.models import ArtifactRef, CheckpointCall, LlmCall, ToolCall
from kitaru.redaction import redactor
from kitaru.store.records import ArtifactRecord, JsonDict, SubcallRecord

Saved = Mapping[str, list[ArtifactRecord]]


def by_call(subcalls: Iterable[SubcallRecord]) -> dict[str, list[SubcallRecord]]:
    """Model and tool calls by the checkpoint's call that made them."""
    under: dict[str, list[SubcallRecord]] = {}
    for subcall in subcalls:
        under.setdefault(subcall.call_id, []).append(subcall)
    return under


def with_subcalls(
    backend: Backend, exec_id: str, call: CheckpointCall, subcalls: list[SubcallRecord], saved: Saved
) -> CheckpointCall:
    """A call with the model and tool calls under it, and what those cost."""
    return call.model_copy(update=_found(backend, exec_id, subcalls, saved)) if subcalls else call


def _found(backend: Backend, exec_id: str, subcalls: list[SubcallRecord], saved: Saved) -> dict[str, Any]:
    models = [record for record in subcalls if record.kind == "llm_call"]
    tools = [record for record in subcalls if record.kind == "tool_call"]
    return {
        "llm_calls": [_llm_call(record, _artifacts(backend, exec_id, record, saved)) for record in models],
        "tool_calls": [_tool_call(record, _artifacts(backend, exec_id, record, saved)) for record in tools],
        "cost_usd": total(record.cost_usd for record in models),
    }


def total(costs: Iterable[float | None]) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None


def usage_fields(used: JsonDict) -> dict[str, Any]:
    """What an execution used, as fields of its model."""
    return {
        "cost_usd": used["cost_usd"],
        "tokens": used["input_tokens"] + used["output_tokens"],
        "unpriced_calls": used["unpriced_calls"],
    }


def _artifacts(backend: Backend, exec_id: str, record: SubcallRecord, saved: Saved) -> list[ArtifactRef]:
    return [mapping.saved_artifact(backend, exec_id, item) for item in saved.get(record.child_id, [])]


def _common(record: SubcallRecord, artifacts: list[ArtifactRef]) -> dict[str, Any]:
    return {
        "call_id": record.child_id,
        "name": record.name,
        "attempt": record.attempt,
        "status": record.status,
        "started_at": mapping.moment(record.started_at),
        "ended_at": mapping.moment(record.ended_at),
        "failure": mapping.failure(record.error),
        "parent": record.parent_id,
        "info": redactor.anything(record.info or {}),
        "artifacts": artifacts,
    }


def _llm_call(record: SubcallRecord, artifacts: list[ArtifactRef]) -> LlmCall:
    return LlmCall(
        **_common(record, artifacts),
        provider=record.provider,
        model=record.model,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cache_read_tokens=record.cache_read_tokens,
        cache_write_tokens=record.cache_write_tokens,
        reasoning_tokens=record.reasoning_tokens,
        cost_usd=record.cost_usd,
    )


def _tool_call(record: SubcallRecord, artifacts: list[ArtifactRef]) -> ToolCall:
    return ToolCall(**_common(record, artifacts))
