"""One agent turn as one checkpoint, then a person's approval, then the result.

Run it with ``python examples/claude_review/review.py``; answer with ``kitaru executions input``.
"""

import asyncio

from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query

import kitaru


@kitaru.checkpoint(type="llm_call")
def write_review(topic: str) -> str:
    """One turn of the agent; paid once, whatever happens afterwards."""

    async def turn() -> str:
        options = ClaudeAgentOptions(max_turns=3)
        async for message in query(prompt=f"Write one paragraph about: {topic}", options=options):
            if isinstance(message, ResultMessage):
                return message.result or ""
        return ""

    return asyncio.run(turn())


@kitaru.flow
def review_flow(topic: str) -> str:
    """Write, ask, publish."""
    text = write_review(topic)
    if not kitaru.wait(name="approve", question=f"Publish this?\n{text}", schema=bool):
        return "Rejected."
    return f"Published: {text}"


review_flow.run("Durable agents")
