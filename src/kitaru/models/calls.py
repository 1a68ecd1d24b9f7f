"""The calls of an execution, and the model and tool calls inside them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kitaru.models.artifacts import ArtifactRef
from kitaru.models.base import Failure, Model


class Attempt(Model):
    """An attempt of a call that failed."""

    attempt: int
    failure: Failure
    started_at: datetime | None
    ended_at: datetime | None


class LlmCall(Model):
    """A model call that a checkpoint made.

    Attributes:
        call_id: its own id, for example ``draft#1/llm#1``.
        attempt: the checkpoint's attempt that made it.
        status: ``completed`` or ``failed``.
        provider: for example ``anthropic``; None where it is not known.
        model: the model that answered.
        input_tokens: all that were sent, cached ones among them; this and the others: None where not known.
        output_tokens: all that came back, reasoning among them.
        cost_usd: US dollars; None where no price is known.
        parent: the id of the call that it belongs to, for example a session of an agent.
        info: what else was told: ``finish_reason``, ``response_id``, ``session_id``, …
        artifacts: its prompt and response.
    """

    call_id: str
    name: str
    attempt: int
    status: str
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    started_at: datetime | None
    ended_at: datetime | None
    failure: Failure | None
    parent: str | None
    info: dict[str, Any]
    artifacts: list[ArtifactRef] = []


class ToolCall(Model):
    """A tool call that an agent made inside a checkpoint; ``artifacts`` are its arguments and its result."""

    call_id: str
    name: str
    attempt: int
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    failure: Failure | None
    parent: str | None
    info: dict[str, Any]
    artifacts: list[ArtifactRef] = []


class CheckpointCall(Model):
    """One call of the journal: a checkpoint, a wait, a sleep, a child.

    Attributes:
        call_id: its identity, for example ``fetch#1``.
        kind: ``checkpoint``, ``wait``, ``sleep``, ``value``, ``child``, ``child_result`` or ``log``.
        type: the checkpoint's label.
        attempts: how many attempts there were; ``failed_attempts`` has those that failed before the last.
        artifacts: the return value first, then what was saved.
        cached_from: ``execution/call`` whose record answered this call.
        llm_calls: the model calls of all its attempts; filled by ``get``.
        cost_usd: what they cost, in US dollars, as far as prices are known; None where none is.
        saved_usd: what the record that answered this call had cost; None where nothing is known to be saved.
    """

    call_id: str
    name: str
    kind: str
    type: str | None
    status: str
    attempts: int
    failed_attempts: list[Attempt] = []
    failure: Failure | None
    artifacts: list[ArtifactRef]
    inputs: dict[str, ArtifactRef]
    cached_from: str | None
    started_at: datetime | None
    ended_at: datetime | None
    metadata: dict[str, Any]
    llm_calls: list[LlmCall] = []
    tool_calls: list[ToolCall] = []
    cost_usd: float | None = None
    saved_usd: float | None = None


class RunningCall(Model):
    """A call that runs now, as far as was told."""

    call_id: str
    name: str
    attempt: int
    started_at: datetime
    progress: dict[str, Any] | None = None
