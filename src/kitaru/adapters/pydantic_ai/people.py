"""Tools that are answered by people, and calls of tools that people must allow."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from pydantic_ai.exceptions import CallDeferred
from pydantic_ai.messages import ToolCallPart, ToolReturn
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults, ToolApproved, ToolDenied

from kitaru.adapters.turns import Question, approval_of, approval_question
from kitaru.errors import KitaruUsageError

__all__ = ["hitl_tool", "questions_of", "results_of"]

F = TypeVar("F", bound=Callable[..., Any])

_KEY = "kitaru"


@dataclass(frozen=True, slots=True)
class _Marked:
    """How a tool's calls are asked; it is looked up by a text, which is all that a stored request can carry."""

    question: str | None
    name: str | None
    schema: Any


_marked: dict[str, _Marked] = {}


def hitl_tool(
    *, question: str | None = None, name: str | None = None, schema: Any = None
) -> Callable[[F], F]:
    """Mark a function as a tool that a person answers: its body never runs.

    When the model calls it inside a run of a ``KitaruAgent`` in a flow, the turn is recorded, the flow waits with its
    compute released, and the answer is the tool's result in the next turn.

    Args:
        question: what the person is asked; default: the tool's name with the arguments that the model gave.
        name: the wait's name; default: the tool's.
        schema: any type that pydantic can validate; default: what the function is annotated to return, else ``bool``.

    Raises:
        KitaruUsageError: when it is put on anything but a function.

    Example:
        >>> @hitl_tool(question="Publish this?", schema=bool)
        ... def publish(summary: str) -> bool:
        ...     "Ask an editor whether the summary may be published."
    """

    def mark(function: F) -> F:
        if not inspect.isfunction(function):
            raise KitaruUsageError(
                f"@hitl_tool goes on a plain function, under @agent.tool or @agent.tool_plain; this is {function!r}."
            )
        marked = _Marked(question, name, _answered_with(function) if schema is None else schema)
        key = f"{function.__module__}:{function.__qualname__}:{marked!r}"
        _marked[key] = marked

        @functools.wraps(function)
        def ask(*args: Any, **kwargs: Any) -> Any:
            raise CallDeferred({_KEY: key}, kind="question")

        return ask  # pyright: ignore[reportReturnType]  # wraps: it is called as the function is

    return mark


def _answered_with(function: Callable[..., Any]) -> Any:
    """The annotated return type; ``bool`` where there is none."""
    annotated = inspect.signature(function).return_annotation
    if annotated is inspect.Signature.empty:
        return bool
    return get_type_hints(function)["return"] if isinstance(annotated, str) else annotated


def questions_of(requests: DeferredToolRequests) -> dict[str, Question]:
    """What people must be asked, by the calls' ids."""
    asked = {call.tool_call_id: _call_question(call, requests) for call in requests.calls}
    return asked | {call.tool_call_id: _approval_question(call, requests) for call in requests.approvals}


def _call_question(call: ToolCallPart, requests: DeferredToolRequests) -> Question:
    key = requests.metadata.get(call.tool_call_id, {}).get(_KEY)
    if key is None:  # deferred by a tool of the user's own: whatever its result is, it comes from outside
        marked = _Marked(None, None, Any)
    elif key not in _marked:
        raise KitaruUsageError(
            f"Tool {call.tool_name!r} was marked with @hitl_tool when it was called, and no longer is as it was "
            f"({key.partition(':')[2]}). Put it back, then retry the execution."
        )
    else:
        marked = _marked[key]
    question = marked.question or f"The result of {call.tool_name}({_shown(call)})?"
    return Question(marked.name or call.tool_name, question, marked.schema, _metadata(call, requests))


def _approval_question(call: ToolCallPart, requests: DeferredToolRequests) -> Question:
    said = requests.metadata.get(call.tool_call_id)
    return approval_question(call.tool_name, call.args_as_dict(), call.tool_call_id, said)


def _shown(call: ToolCallPart) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in call.args_as_dict().items())


def _metadata(call: ToolCallPart, requests: DeferredToolRequests) -> dict[str, Any]:
    """For who shows the question: the call, and what a tool of the user's own said of it."""
    said = {
        name: value for name, value in requests.metadata.get(call.tool_call_id, {}).items() if name != _KEY
    }
    known = {"tool": call.tool_name, "arguments": call.args_as_dict(), "tool_call_id": call.tool_call_id}
    return {**known, "metadata": said} if said else known


def results_of(requests: DeferredToolRequests, answers: Mapping[str, Any]) -> DeferredToolResults:
    """The answers, by the calls' ids, as pydantic-ai takes them."""
    results = DeferredToolResults()
    for call in requests.calls:
        results.calls[call.tool_call_id] = ToolReturn(return_value=answers[call.tool_call_id])
    for call in requests.approvals:
        approval = approval_of(answers[call.tool_call_id])
        denied = ToolDenied(approval.message) if approval.message else ToolDenied()
        results.approvals[call.tool_call_id] = ToolApproved() if approval.approved else denied
    return results
