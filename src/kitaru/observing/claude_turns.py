"""What the messages of the Claude CLI say of a turn: the models that were asked, the tools, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kitaru import tracking
from kitaru.model_calls.prices import price
from kitaru.tracking import TrackedCall, Usage

Json = dict[str, Any]
Totals = dict[str, Json]
"""Model -> what a session has used of it since its beginning, as the CLI's ``modelUsage`` says."""

_COUNTS = (
    "inputTokens",
    "outputTokens",
    "cacheReadInputTokens",
    "cacheCreationInputTokens",
    "thinkingTokens",
    "costUSD",
)


class Conversation:
    """A connection to the CLI, over all of its turns.

    The CLI's sums are those of the whole session, also of what another process has asked in it: what a turn took is
    what they have grown by.
    """

    def __init__(self, resumed: str | None, known: Mapping[str, Json] | None) -> None:
        self._resumed = resumed
        self._totals: Totals | None = {} if resumed is None else None if known is None else dict(known)
        self._prompts: list[Any] = []
        self._since: float | None = None
        self._turn: Turn | None = None

    def asked(self, content: Any) -> None:
        """The user said something."""
        if not self._prompts:
            self._since = time.time()
        self._prompts.append(content)

    def saw(self, message: Json) -> Turn | None:
        """A message came back. The turn that goes on after it."""
        kind = message.get("type")
        if kind not in ("assistant", "user", "result"):
            return self._turn
        turn = self._turn = self._turn or self._begun()
        if turn is None:
            return None
        if kind == "assistant":
            turn.said(message)
        elif kind == "user":
            turn.tools_answered(message)
        elif kind == "result":
            self._turn = None
            self._ended(turn, message)
        return self._turn

    def broke(self, error: BaseException, turn: Turn | None) -> None:
        """No more messages come for ``turn``, as ``saw`` gave it last: without a result it has failed."""
        if turn is None and self._prompts and isinstance(error, Exception):
            turn = self._turn = self._begun()
        if turn is not None and turn is self._turn:
            self._turn = None
            turn.failed(error)

    def _begun(self) -> Turn | None:
        prompts, self._prompts = self._prompts, []
        scope = tracking.current_checkpoint()
        if scope is None:
            return None
        return Turn(scope, self._since or time.time(), prompts[0] if len(prompts) == 1 else prompts)

    def _ended(self, turn: Turn, result: Json) -> None:
        totals: Totals = _within(result, "modelUsage")
        before = self._totals
        if before is None:
            before = _recorded(turn.scope, self._resumed or result.get("session_id"))
        self._totals = totals
        turn.ended(result, totals, None if before is None else _grown(before, totals))


def _recorded(scope: object, session_id: str | None) -> Totals | None:
    """What the execution has on record of the session's sums."""
    told: list[Json] = [call.info or {} for call in tracking.model_calls_on_record(scope)]
    found = [
        one["session_totals"]
        for one in told
        if one.get("session_id") == session_id and "session_totals" in one
    ]
    return found[-1] if found else None


def _grown(before: Totals, after: Totals) -> Totals:
    """What was used in between. Sums that went down began anew."""
    grown: Totals = {}
    for model, sums in after.items():
        earlier = before.get(model, {})
        counts = {name: sums.get(name, 0) - earlier.get(name, 0) for name in _COUNTS}
        if any(count < 0 for count in counts.values()):
            counts = {name: sums.get(name, 0) for name in _COUNTS}
        if any(counts.values()):
            grown[model] = counts
    return grown


class Turn:
    """From what the user said to the result."""

    def __init__(self, scope: object, since: float, prompt: Any) -> None:
        self.scope = scope
        self._started_at = since
        call = tracking.begin("claude", "llm_call", scope=scope, made=True)
        assert call is not None
        self._call = call
        self._tools: dict[str, TrackedCall] = {}
        self._ids: dict[str, str] = {}
        self._model: str | None = None
        self._session: str | None = None
        self._input: dict[str, int] = {}
        call.keep("prompt", prompt, "prompt")

    def said(self, message: Json) -> None:
        """The model answered, perhaps by asking for tools."""
        inner = _within(message, "message")
        around = message.get("parent_tool_use_id")
        self._session = message.get("session_id") or self._session
        if around is None:
            self._model = inner.get("model") or self._model
        usage = _within(inner, "usage")
        names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        self._input[str(inner.get("id"))] = sum(usage.get(name) or 0 for name in names)
        for block in _blocks(inner):
            if block.get("type") == "tool_use":
                parent = self._ids.get(around, self._call.child_id) if around else self._call.child_id
                tool = tracking.begin(block["name"], "tool_call", parent=parent, scope=self.scope)
                assert tool is not None
                tool.keep("input", block.get("input"), "input")
                self._tools[block["id"]] = tool
                self._ids[block["id"]] = tool.child_id

    def tools_answered(self, message: Json) -> None:
        """Results of tools."""
        for block in _blocks(_within(message, "message")):
            tool = self._tools.pop(block.get("tool_use_id", ""), None)
            if tool is not None:
                tool.keep("output", block.get("content"), "output")
                tool.end(error=RuntimeError(_text(block.get("content"))) if block.get("is_error") else None)

    def ended(self, result: Json, totals: Totals, used: Totals | None) -> None:
        """The turn has its result. ``used`` is None where nobody knows what the session had used before."""
        deferred = result.get("stop_reason") == "tool_deferred"
        self._end_tools("the tool has not run yet" if deferred else "the turn ended before the tool did")
        answer = result.get("structured_output", result.get("result"))
        if answer is not None:
            self._call.keep("response", answer, "response")
        info: Json = {
            "session_id": result.get("session_id"),
            "turns": result.get("num_turns"),
            "finish_reason": result.get("stop_reason") or result.get("subtype"),
            "session_totals": totals,
        }
        error = RuntimeError(_text(answer or result.get("subtype"))) if result.get("is_error") else None
        if used is None:
            self._end_by_list(result, info | {"cost_from": "price list"}, error)
            return
        models = sorted(used, key=lambda model: (model != self._model, model)) or [self._model or "unknown"]
        for number, model in enumerate(models):
            call = self._call if number == 0 else self._other()
            counts = used.get(model, dict.fromkeys(_COUNTS, 0))
            call.end(
                provider="anthropic",
                model=model,
                usage=_usage(counts),
                cost_usd=counts["costUSD"],
                error=error if number == 0 else None,
                started_at=self._started_at,
                info=info if number == 0 else {"session_id": info["session_id"]},
            )

    def _other(self) -> TrackedCall:
        """A call for one more model that the turn has used, so that sums by model add up."""
        call = tracking.begin("claude", "llm_call", parent=self._call.child_id, scope=self.scope, made=True)
        assert call is not None
        return call

    def _end_by_list(self, result: Json, info: Json, error: BaseException | None) -> None:
        said = _within(result, "usage")
        usage = _usage(
            {
                "inputTokens": said.get("input_tokens") or 0,
                "outputTokens": said.get("output_tokens") or 0,
                "cacheReadInputTokens": said.get("cache_read_input_tokens") or 0,
                "cacheCreationInputTokens": said.get("cache_creation_input_tokens") or 0,
            }
        )
        self._call.end(
            provider="anthropic",
            model=self._model,
            usage=usage,
            cost_usd=price(usage, "anthropic", self._model or ""),
            error=error,
            started_at=self._started_at,
            info=info,
        )

    def failed(self, error: BaseException) -> None:
        """It ended without a result: what it cost is not known."""
        self._end_tools("the turn ended before the tool did")
        self._call.end(
            provider="anthropic",
            model=self._model,
            usage=Usage(input_tokens=sum(self._input.values()) if self._input else None),
            error=error,
            started_at=self._started_at,
            info={"session_id": self._session},
        )

    def _end_tools(self, why: str) -> None:
        for tool in self._tools.values():
            tool.end(error=RuntimeError(why))
        self._tools = {}


def _usage(counts: Json) -> Usage:
    """The CLI counts what came from its cache apart from the input."""
    read, written = counts["cacheReadInputTokens"], counts["cacheCreationInputTokens"]
    return Usage(
        input_tokens=counts["inputTokens"] + read + written,
        output_tokens=counts["outputTokens"],
        cache_read_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=counts.get("thinkingTokens"),
    )


def _within(message: Json, name: str) -> Json:
    return message.get(name) or {}


def _blocks(message: Json) -> list[Json]:
    """What a message consists of; text alone is no block."""
    content: list[Any] | str | None = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(content: list[Json | str] | str | None) -> str:
    if isinstance(content, list):
        return "\n".join(
            str(block.get("text", block)) if isinstance(block, dict) else block for block in content
        )
    return str(content)
