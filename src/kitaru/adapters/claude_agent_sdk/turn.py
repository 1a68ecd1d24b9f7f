"""One turn: Claude is asked, stopped before a tool that must be approved, and what it leaves is gathered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import claude_agent_sdk
from claude_agent_sdk import ClaudeAgentOptions, HookMatcher, Message, ResultMessage

from kitaru.adapters.claude_agent_sdk.session import Session, Transcript, Turn
from kitaru.adapters.claude_agent_sdk.workspace import put_back, taken
from kitaru.adapters.turns import Approval
from kitaru.errors import KitaruModelError, KitaruUsageError
from kitaru.observing import continued

_LIMITS = ("error_max_turns", "error_max_budget_usd", "error_max_structured_output_retries")


@dataclass(frozen=True)
class Approvals:
    """Which tools a person must allow, and what was answered, by the calls' ids."""

    tools: tuple[str, ...] = ()
    answers: Mapping[str, Approval] = field(default_factory=dict[str, Approval])

    async def before_tool(self, call: Any, tool_use_id: str | None, _context: Any) -> Any:
        """The SDK's hook: a call that nobody has been asked about stops the turn."""
        if not any(fnmatchcase(call["tool_name"], pattern) for pattern in self.tools):
            return {}
        answer = self.answers.get(tool_use_id or "")
        decision = "defer" if answer is None else "allow" if answer.approved else "deny"
        reason = (answer.message if answer else None) or f"A person said {decision}."
        return {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": decision,
                "permissionDecisionReason": reason,
            }
        }


async def take_turn(
    prompt: str | None,
    session: Session | None,
    options: ClaudeAgentOptions,
    approvals: Approvals,
    workspace: bool,
) -> Turn:
    """Ask Claude; ``prompt`` is None where a turn goes on that was stopped for an approval."""
    folder = Path(options.cwd or Path.cwd())
    if workspace:
        if session is not None and session.workspace is not None:
            put_back(session.workspace, folder)
        taken(folder)  # too large is told before it costs anything
    transcript = Transcript(session)
    ours = _ours(options, session, transcript, approvals)
    with continued(session.model_usage if session else None):
        messages = await _messages(prompt, ours)
    result = next((m for m in reversed(messages) if isinstance(m, ResultMessage)), None)
    if result is None or (result.is_error and result.subtype not in _LIMITS):
        said = result and (result.result or result.subtype)
        raise KitaruModelError(
            f"Claude ended without an answer: {said or 'no result came'}.", model="anthropic/claude-agent-sdk"
        )
    usage = cast("dict[str, dict[str, Any]]", result.model_usage or {})
    return Turn(
        text=result.result,
        structured_output=result.structured_output,
        session=Session(
            result.session_id,
            transcript.of(result.session_id),
            _left(folder) if workspace else None,
            usage,
        ),
        stop_reason=result.subtype if result.subtype in _LIMITS else result.stop_reason,
        num_turns=result.num_turns,
        cost_usd=_cost(result, session),
        messages=messages,
    )


def _ours(
    options: ClaudeAgentOptions, session: Session | None, transcript: Transcript, approvals: Approvals
) -> ClaudeAgentOptions:
    hooks: dict[Any, Any] = dict(options.hooks or {})
    if approvals.tools:
        hooks["PreToolUse"] = [HookMatcher(hooks=[approvals.before_tool]), *hooks.get("PreToolUse", [])]
    return replace(
        options,
        hooks=hooks or None,
        session_store=cast("Any", transcript),
        resume=session.session_id if session else None,
    )


async def _messages(prompt: str | None, options: ClaudeAgentOptions) -> list[Message]:
    """All messages. Without a prompt the CLI goes on by itself with the call that was stopped."""
    ended = asyncio.Event()

    async def nothing() -> AsyncGenerator[dict[str, Any]]:
        # Its end is the end of the CLI's input, by which hooks are answered as well.
        await ended.wait()
        return
        yield  # makes it a generator

    messages: list[Message] = []
    asked = claude_agent_sdk.query(prompt=nothing() if prompt is None else prompt, options=options)
    async with aclosing(cast("AsyncGenerator[Message]", asked)) as coming:
        async for message in coming:
            messages.append(message)
            if isinstance(message, ResultMessage):
                ended.set()
    return messages


def _left(folder: Path) -> Any:
    try:
        return taken(folder)
    except KitaruUsageError as error:
        # The turn is paid: it is kept without the files rather than lost with them.
        logging.getLogger("kitaru").warning("kitaru: the workspace does not travel on: %s", error)
        return None


def _cost(result: ResultMessage, session: Session | None) -> float | None:
    """The SDK's sum is the session's since its beginning."""
    if result.total_cost_usd is None:
        return None
    before = sum(used.get("costUSD", 0.0) for used in session.model_usage.values()) if session else 0.0
    return max(result.total_cost_usd - before, 0.0)
