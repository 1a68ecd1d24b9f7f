"""``run``, ``run_async`` and ``query``: one thing asked of Claude, as one durable turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import fields, replace
from typing import Any, cast

from claude_agent_sdk import ClaudeAgentOptions, Message

from kitaru import tracking
from kitaru.adapters.claude_agent_sdk.session import Session, Turn
from kitaru.adapters.claude_agent_sdk.turn import Approvals, take_turn
from kitaru.adapters.turns import (
    Question,
    approval_of,
    approval_question,
    in_flow_body,
    take_turns,
    take_turns_async,
)
from kitaru.checkpoints import checkpoint
from kitaru.errors import KitaruContextError, KitaruUsageError
from kitaru.model_calls.portal import run_blocking

__all__ = ["query", "run", "run_async"]


def run(
    prompt: str,
    *,
    options: ClaudeAgentOptions | None = None,
    session: Session | None = None,
    approve: Sequence[str] = (),
    workspace: bool = False,
    name: str = "claude",
    retries: int = 0,
) -> Turn:
    """Ask Claude; in the body of a sync flow, durably.

    The turn is a checkpoint, with what it asked of models and tools under it: when the flow is resumed or replayed it
    answers from the record. A tool that must be approved ends the checkpoint before it runs; the flow waits with its
    compute released, and the session goes on in the next checkpoint, in whichever process or machine that is.

    Inside a checkpoint of the user's own, and outside a flow, it asks without being durable by itself.

    Args:
        prompt: what is asked.
        options: as ``claude_agent_sdk.query`` takes them, but for ``resume``, ``continue_conversation`` and
            ``session_store``: the session is kept here.
        session: of an earlier turn, to go on with it; from another execution too.
        approve: names of tools that a person must allow, with ``*`` and ``?`` for any characters: ``["Bash",
            "mcp__mail__*"]``. The waits have the tools' names and are answered with ``true``, ``false`` or an
            ``Approval``.
        workspace: whether the files of the folder ``options.cwd`` travel with the session: at most 64 MiB. They are put
            back where the folder is missing or empty, and else left as they are.
        name: the checkpoint's name.
        retries: how often the turn is tried again when it fails.

    Raises:
        KitaruModelError: the turn ended with an error and without an answer.
        KitaruUsageError: for options that are none of the user's here, a workspace that is too large, or in an async
            flow's body: use ``run_async`` or ``query`` there.
        KitaruContextError: ``approve`` outside a flow's body, where nobody can be waited for.

    Example:
        >>> # in a flow: turn = run("Fix the failing test.", options=ClaudeAgentOptions(cwd="repo"), approve=["Bash"])
        >>> # print(turn.text, turn.cost_usd); next = run("Now document it.", session=turn.session)
    """
    asked = _Asked(prompt, session, _own(options), Approvals(tuple(approve)), workspace)
    if not in_flow_body():
        asked.refuse_approvals()
        return run_blocking(asked.once())
    if _loop_runs():
        raise KitaruUsageError(
            "claude_agent_sdk.run() would block the event loop of this async flow. Write `await run_async(…)`."
        )

    def turn(prompt: Any, session: Any, answers: Any, settings: Any) -> Turn:
        return run_blocking(asked.turn(prompt, session, answers, settings))

    take_turns(checkpoint(name=name, type="agent_run", retries=retries)(turn), asked)
    return asked.whole()


async def run_async(
    prompt: str,
    *,
    options: ClaudeAgentOptions | None = None,
    session: Session | None = None,
    approve: Sequence[str] = (),
    workspace: bool = False,
    name: str = "claude",
    retries: int = 0,
) -> Turn:
    """As ``run``, in the body of an async flow.

    Example:
        >>> # in an async flow: turn = await run_async("Fix the failing test.", approve=["Bash"])
    """
    asked = _Asked(prompt, session, _own(options), Approvals(tuple(approve)), workspace)
    if not in_flow_body():
        asked.refuse_approvals()
        return await asked.once()

    async def turn(prompt: Any, session: Any, answers: Any, settings: Any) -> Turn:
        return await asked.turn(prompt, session, answers, settings)

    await take_turns_async(checkpoint(name=name, type="agent_run", retries=retries)(turn), asked)
    return asked.whole()


async def query(
    *,
    prompt: str,
    options: ClaudeAgentOptions | None = None,
    session: Session | None = None,
    approve: Sequence[str] = (),
    workspace: bool = False,
    name: str = "claude",
    retries: int = 0,
) -> AsyncGenerator[Message]:
    """As ``claude_agent_sdk.query``, durable in the body of an async flow: the turn's messages, once it is on record.

    The arguments are those of ``run``.

    Example:
        >>> # in an async flow: async for message in query(prompt="Fix the failing test."): print(message)
    """
    turn = await run_async(
        prompt,
        options=options,
        session=session,
        approve=approve,
        workspace=workspace,
        name=name,
        retries=retries,
    )
    for message in turn.messages:
        yield message


class _Asked:
    """What was asked, over as many turns as people have to be asked in between."""

    def __init__(
        self,
        prompt: str,
        session: Session | None,
        options: ClaudeAgentOptions,
        approvals: Approvals,
        workspace: bool,
    ) -> None:
        self._prompt: str | None = prompt
        self._session = session
        self._options = options
        self._approvals = approvals
        self._workspace = workspace
        self._answers: dict[str, Any] = {}
        self._turns: list[Turn] = []

    def arguments(self) -> tuple[Any, ...]:
        return self._prompt, self._session, self._answers, _settings(self._options)

    async def turn(self, prompt: str | None, session: Session | None, answers: Any, _settings: Any) -> Turn:
        """What the checkpoint does, from what it was given."""
        return await take_turn(
            prompt, session, self._options, replace(self._approvals, answers=answers), self._workspace
        )

    async def once(self) -> Turn:
        """A turn that is no checkpoint of its own."""
        return await self.turn(*self.arguments())

    def refuse_approvals(self) -> None:
        if self._approvals.tools:
            place = "inside a checkpoint" if tracking.current_checkpoint() else "outside a flow"
            raise KitaruContextError(
                f"approve= was given {place}, where nobody can be waited for. Call it in the flow's body, or leave "
                "approve out and let options.can_use_tool decide."
            )

    def take(self, outcome: Turn) -> Sequence[Question]:
        self._turns.append(outcome)
        self._prompt, self._session = None, outcome.session
        tool = outcome.result.deferred_tool_use
        return [] if tool is None else [approval_question(tool.name, tool.input, tool.id)]

    def answer(self, answers: Sequence[Any]) -> None:
        tool = self._turns[-1].result.deferred_tool_use
        assert tool is not None
        self._answers = {**self._answers, tool.id: approval_of(answers[0])}

    def whole(self) -> Turn:
        """All turns as one."""
        costs = [turn.cost_usd for turn in self._turns]
        return replace(
            self._turns[-1],
            messages=[message for turn in self._turns for message in turn.messages],
            num_turns=sum(turn.num_turns for turn in self._turns),
            cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        )


def _own(options: ClaudeAgentOptions | None) -> ClaudeAgentOptions:
    options = options or ClaudeAgentOptions()
    for name in ("resume", "continue_conversation", "session_store"):
        if getattr(options, name):
            raise KitaruUsageError(
                f"options.{name} is not the user's here: the session is kept on record. Hand the session of an earlier "
                "turn on: run(prompt, session=turn.session)."
            )
    return options


_PLAIN = (str, int, float, bool)


def _settings(options: ClaudeAgentOptions) -> dict[str, Any]:
    """The options that are plain values and not left at their defaults, so that a change of them is seen."""
    default = ClaudeAgentOptions()
    given = {field.name: getattr(options, field.name) for field in fields(options)}
    return {
        name: str(value) if name == "cwd" else value
        for name, value in given.items()
        if name not in ("env", "extra_args")  # secrets may stand there
        and value != getattr(default, name)
        and (isinstance(value, _PLAIN) or name == "cwd" or _texts(value))
    }


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
