"""The Claude Agent SDK, whose calls are made by a process of its own: seen by the messages that come back.

One class of the SDK's that all ways of asking go through is wrapped. Where a later version has moved it, checkpoints
work as before and are not observed, which is said once.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from types import ModuleType
from typing import Any, cast
from weakref import WeakKeyDictionary

from kitaru import tracking
from kitaru.observing import known_totals
from kitaru.observing.claude_turns import Conversation, Turn

_conversations: WeakKeyDictionary[Any, Conversation] = WeakKeyDictionary()


def watch(module: ModuleType) -> None:
    """Wrap ``Query`` of ``claude_agent_sdk._internal.query``."""
    query = getattr(module, "Query", None)
    names = ("start", "receive_messages")
    if not all(inspect.isfunction(getattr(query, name, None)) for name in names):
        logging.getLogger("kitaru").warning(
            "kitaru: this version of claude_agent_sdk is not known: its model calls and their cost are not recorded. "
            "Checkpoints work as before; a newer kitaru may know it."
        )
        return
    _wrap(cast("Any", query))


def _wrap(query: Any) -> None:
    start, receive_messages = query.start, query.receive_messages

    @functools.wraps(start)
    async def observed_start(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not tracking.is_tracked():
            _conversations[self] = Conversation(_resumed(self), known_totals.get())
            tracking.check_budget(tracking.current_checkpoint())
            _hear_prompts(self.transport, _conversations[self])
        return await start(self, *args, **kwargs)

    @functools.wraps(receive_messages)
    async def observed_messages(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        conversation = _conversations.get(self)
        messages = receive_messages(self, *args, **kwargs)
        if conversation is None:
            async for message in messages:
                yield message
            return
        turn: Turn | None = None
        error: BaseException = EOFError("the Claude CLI ended without a result")
        try:
            async with aclosing(messages):
                async for message in messages:
                    turn = conversation.saw(message)
                    yield message
        except BaseException as broken:
            error = broken
            raise
        finally:
            # A client's listener may be closed when the next one has begun: it speaks for its own turn alone.
            conversation.broke(error, turn)

    query.start, query.receive_messages = observed_start, observed_messages


def _resumed(query: Any) -> str | None:
    """The session that goes on, by the options of the SDK's own transport; empty: one that nobody names."""
    options = getattr(query.transport, "_options", None)
    named: str | None = getattr(options, "resume", None)
    return named or ("" if getattr(options, "continue_conversation", False) else None)


def _hear_prompts(transport: Any, conversation: Conversation) -> None:
    """What users say goes through the transport's ``write``, as lines of JSON among others."""
    write = transport.write

    @functools.wraps(write)
    async def heard(data: str) -> Any:
        said = json.loads(data)
        if said.get("type") == "user":
            conversation.asked(said.get("message", {}).get("content"))
        return await write(data)

    with suppress(AttributeError):  # a transport of the user's own with slots: the prompt is not known then
        transport.write = heard
