"""An agent whose runs in a flow are checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeGuard, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_ai.agent import AbstractAgent, AgentRun, AgentRunResult, WrapperAgent
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults

from kitaru import tracking
from kitaru.adapters.pydantic_ai.people import questions_of, results_of
from kitaru.adapters.pydantic_ai.recording import Capture, Recording, ToolCaptureConfig
from kitaru.adapters.turns import Question, in_flow_body, take_turns, take_turns_async
from kitaru.checkpoints import checkpoint
from kitaru.errors import KitaruContextError, KitaruUsageError
from kitaru.model_calls.messages import model_error
from kitaru.model_calls.portal import run_blocking

__all__ = ["KitaruAgent", "wrap"]

DepsT = TypeVar("DepsT")
OutputT = TypeVar("OutputT")

CaptureConfig = ToolCaptureConfig | dict[str, Any]

_results: TypeAdapter[AgentRunResult[Any]] = TypeAdapter(AgentRunResult[Any])


class KitaruAgent(WrapperAgent[DepsT, OutputT]):
    """A Pydantic AI agent whose ``run`` and ``run_sync`` in a flow's body are durable.

    A run is a checkpoint: its model and tool calls are recorded under it, and its result is answered from the journal
    when the flow is resumed or replayed. A tool that a person must answer (``hitl_tool``) or allow
    (``requires_approval=True``) ends the checkpoint; the flow waits, and the run goes on in the next checkpoint.

    Inside a checkpoint of the user's own, calls are recorded under that. Outside a flow it is the plain agent.

    Args:
        wrapped: the agent.
        name: the checkpoints' name; default: the agent's, else ``agent``.
        tool_capture_config: how much of tool calls is recorded: ``{"mode": "full" | "metadata_only" | "off"}``.
        tool_capture_config_by_name: the same for single tools, by their names.

    Raises:
        KitaruUsageError: for a capture config that makes no sense.

    Example:
        >>> from pydantic_ai import Agent
        >>> agent = KitaruAgent(Agent("test", name="researcher"))
        >>> # in a flow: agent.run_sync("What is new?").output
    """

    def __init__(
        self,
        wrapped: AbstractAgent[DepsT, OutputT],
        *,
        name: str | None = None,
        tool_capture_config: CaptureConfig | None = None,
        tool_capture_config_by_name: dict[str, CaptureConfig] | None = None,
    ) -> None:
        super().__init__(wrapped)
        self._checkpoint_name = name
        self._capture = Capture.of(tool_capture_config, tool_capture_config_by_name)

    async def run(self, user_prompt: Any = None, **options: Any) -> AgentRunResult[Any]:
        """As the agent's own; in the body of an async flow, durable.

        Raises:
            KitaruModelError: in a flow's body, where a provider refused or could not be reached.
            KitaruUsageError: in a sync flow's body.
        """
        if not in_flow_body():
            return await super().run(user_prompt, **options)
        turns = self._turns(user_prompt, options)

        async def turn(prompt: Any, message_history: Any, answers: Any, deps: Any) -> dict[str, Any]:
            return await self._turn(prompt, message_history, answers, deps, turns.options)

        await take_turns_async(checkpoint(name=self._step_name, type="agent_run")(turn), turns)
        return turns.result

    def run_sync(self, user_prompt: Any = None, **options: Any) -> AgentRunResult[Any]:
        """As the agent's own; in the body of a sync flow, durable.

        Raises:
            KitaruModelError: in a flow's body, where a provider refused or could not be reached.
            KitaruUsageError: in an async flow's body.
        """
        if not in_flow_body():
            return super().run_sync(user_prompt, **options)
        if _loop_runs():
            raise KitaruUsageError(
                f"run_sync() of agent {self._step_name!r} would block the event loop of this async flow. Write "
                "`await agent.run(…)`."
            )
        turns = self._turns(user_prompt, options)

        def turn(prompt: Any, message_history: Any, answers: Any, deps: Any) -> dict[str, Any]:
            # The loop that all of this process's model calls share, so that connections are kept.
            return run_blocking(self._turn(prompt, message_history, answers, deps, turns.options))

        take_turns(checkpoint(name=self._step_name, type="agent_run")(turn), turns)
        return turns.result

    @asynccontextmanager
    async def iter(self, user_prompt: Any = None, **options: Any) -> AsyncGenerator[AgentRun[DepsT, Any]]:
        """As the agent's own, also underneath its streaming methods; not in a flow's body.

        Raises:
            KitaruContextError: in a flow's body: what a stream gives cannot be taken back when the flow runs again.
        """
        if in_flow_body():
            raise KitaruContextError(
                f"Agent {self._step_name!r} can be streamed or iterated over inside a checkpoint, not in the flow's "
                "body, where only whole runs are durable: use run() or run_sync() there, with event_stream_handler= "
                "for events on the way."
            )
        if tracking.current_checkpoint() is not None:
            options["capabilities"] = [*(options.get("capabilities") or ()), Recording(self._capture)]
        async with super().iter(user_prompt, **options) as run:
            yield run

    @property
    def _step_name(self) -> str:
        return self._checkpoint_name or self.name or "agent"

    def _turns(self, prompt: Any, options: dict[str, Any]) -> _AgentTurns:
        options = {**options, "infer_name": False}
        if not getattr(
            self._innermost(), "_output_validators", None
        ):  # with those, only the agent may say its type
            options["output_type"] = _deferrable(options.get("output_type") or self.wrapped.output_type)
        return _AgentTurns(prompt, options)

    def _innermost(self) -> AbstractAgent[Any, Any]:
        agent: AbstractAgent[Any, Any] = self.wrapped
        while isinstance(agent, WrapperAgent):
            agent = agent.wrapped
        return agent

    async def _turn(
        self, prompt: Any, history: Any, answers: dict[str, Any] | None, deps: Any, options: dict[str, Any]
    ) -> dict[str, Any]:
        results: DeferredToolResults | None = options.get("deferred_tool_results")
        if answers is not None:
            results = results_of(answers["requests"], answers["answers"])
        given: dict[str, Any] = {
            **options,
            "message_history": history,
            "deps": deps,
            "deferred_tool_results": results,
        }
        try:
            return _stored(await super().run(prompt, **given))
        except ModelAPIError as error:
            # Of the providers' errors not all can be recorded as what they are; this one says what matters of each.
            raise model_error(error, error.model_name, None) from error


def wrap(
    agent: AbstractAgent[DepsT, OutputT],
    *,
    name: str | None = None,
    tool_capture_config: CaptureConfig | None = None,
    tool_capture_config_by_name: dict[str, CaptureConfig] | None = None,
) -> KitaruAgent[DepsT, OutputT]:
    """The agent as a ``KitaruAgent``, which says what the arguments mean.

    Example:
        >>> from pydantic_ai import Agent
        >>> agent = wrap(Agent("test"), name="researcher", tool_capture_config={"mode": "metadata_only"})
    """
    return KitaruAgent(
        agent,
        name=name,
        tool_capture_config=tool_capture_config,
        tool_capture_config_by_name=tool_capture_config_by_name,
    )


class _AgentTurns:
    """A run, over as many turns as people have to be asked in between."""

    result: AgentRunResult[Any]

    def __init__(self, prompt: Any, options: dict[str, Any]) -> None:
        self._prompt = prompt
        self._history = options.pop("message_history", None)
        self._deps = options.pop("deps", None)
        self._answers: dict[str, Any] | None = None
        self._asked: list[str] = []
        self._first_new: int | None = None
        self.options = options

    def arguments(self) -> tuple[Any, ...]:
        return self._prompt, self._history, self._answers, self._deps

    def take(self, outcome: Any) -> Sequence[Question]:
        if not _is_stored(outcome):
            self.result = AgentRunResult(outcome)  # what a replay was given instead of the run's output
            return []
        # Messages are new since the run began, not since its last turn.
        first = self._first_new = (
            outcome["run"]["new_message_index"] if self._first_new is None else self._first_new
        )
        self.result = _restored(outcome, first)
        if not isinstance(self.result.output, DeferredToolRequests):
            return []
        questions = questions_of(self.result.output)
        self._asked = list(questions)
        return list(questions.values())

    def answer(self, answers: Sequence[Any]) -> None:
        self._answers = {
            "requests": self.result.output,
            "answers": dict(zip(self._asked, answers, strict=True)),
        }
        self._prompt = None
        self._history = self.result.all_messages()
        for once in ("run_id", "conversation", "deferred_tool_results"):
            self.options.pop(once, None)
        # Limits and sums are those of the whole run.
        self.options["usage"] = replace(self.result.usage)


def _stored(result: AgentRunResult[Any]) -> dict[str, Any]:
    """A result as the journal keeps it: the output as the value that it is, all else as JSON."""
    return {"output": result.output, "run": _results.dump_python(result, mode="json", exclude={"output"})}


def _is_stored(outcome: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(outcome, dict) and cast("dict[str, Any]", outcome).keys() == {"output", "run"}


def _restored(stored: dict[str, Any], first_new: int) -> AgentRunResult[Any]:
    form = {**stored["run"], "output": None, "new_message_index": first_new}
    return replace(_results.validate_python(form), output=stored["output"])


def _deferrable(output_type: Any) -> Any:
    """The output type, with the agent's being stopped for people as one more of what may come out."""
    listed = isinstance(output_type, list | tuple)
    types = list(cast("Sequence[Any]", output_type)) if listed else [output_type]
    return types if DeferredToolRequests in types else [*types, DeferredToolRequests]


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
