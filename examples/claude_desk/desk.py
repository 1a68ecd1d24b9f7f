"""Claude writes a note in a folder of its own; writing needs a person's yes.

Run it with ``python examples/claude_desk/desk.py``, then answer with ``kitaru executions input``. Kill it wherever you
like.
"""

from __future__ import annotations

from pathlib import Path

from claude_agent_sdk import ClaudeAgentOptions

import kitaru
from kitaru.adapters.claude_agent_sdk import run

OPTIONS = ClaudeAgentOptions(cwd=Path("desk"), max_turns=6)


@kitaru.flow
def note_flow(topic: str) -> str:
    """Write, with approval, then read it back in the same session."""
    written = run(
        f"Write one line about {topic} into note.txt.", options=OPTIONS, approve=["Write"], workspace=True
    )
    checked = run("Is the note good?", options=OPTIONS, session=written.session, workspace=True)
    return f"{checked.text} (${(written.cost_usd or 0) + (checked.cost_usd or 0):.4f})"


if __name__ == "__main__":
    Path("desk").mkdir(exist_ok=True)
    note_flow.run("durable agents")
