"""Flows that use the Claude Agent SDK as it is, for processes of their own: ``python -m … FLOW ARGUMENTS``.

The SDK leaves its subprocesses to the collector, which tells of them wherever it comes by.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from typing import Any

from claude_agent_sdk import AssistantMessage, ClaudeAgentOptions, ClaudeSDKClient, ResultMessage, query

import kitaru


async def answer(prompt: str, **options: Any) -> tuple[str, str]:
    async with aclosing(query(prompt=prompt, options=ClaudeAgentOptions(**options))) as messages:  # type: ignore[type-var]
        async for message in messages:
            if isinstance(message, ResultMessage):
                return message.result or "", message.session_id
    return "", ""


@kitaru.checkpoint
def turn(prompt: str, options: dict[str, Any]) -> str:
    return asyncio.run(answer(prompt, **options))[0]


@kitaru.flow
def one_turn(prompt: str, options: dict[str, Any]) -> str:
    return turn(prompt, options)


@kitaru.checkpoint
def conversation(prompts: list[str]) -> list[float]:
    async def talk() -> list[float]:
        totals: list[float] = []
        async with ClaudeSDKClient() as claude:
            for prompt in prompts:
                await claude.query(prompt)
                *_, last = [message async for message in claude.receive_response()]
                assert isinstance(last, ResultMessage)
                totals.append(last.total_cost_usd or 0)
        return totals

    return asyncio.run(talk())


@kitaru.flow
def talking(prompts: list[str]) -> list[float]:
    return conversation(prompts)


@kitaru.checkpoint
def resumed(prompt: str, session: str | None) -> str:
    return asyncio.run(answer(prompt, resume=session))[1]


@kitaru.flow
def two_checkpoints() -> None:
    resumed("two", resumed("one", None))


@kitaru.flow
def goes_on(session: str) -> None:
    resumed("three", session)


@kitaru.checkpoint
def left_early(prompt: str) -> str:
    async def first() -> str:
        async with aclosing(query(prompt=prompt)) as messages:  # type: ignore[type-var]
            async for message in messages:
                if isinstance(message, AssistantMessage):
                    return message.model
        return ""

    return asyncio.run(first())


@kitaru.flow
def leaving(prompt: str) -> str:
    return left_early(prompt)


if __name__ == "__main__":
    handle = globals()[sys.argv[1]].run(*json.loads(sys.argv[2]))
    print(json.dumps([handle.exec_id, handle.wait()]))
