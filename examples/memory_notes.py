"""An agent that remembers over executions, and what it knew at a point of its run.

Run it with ``python examples/memory_notes.py``.
"""

from __future__ import annotations

import kitaru
from kitaru import KitaruClient, memory


@kitaru.checkpoint
def answer(question: str, notes: list[str]) -> str:
    """What an agent would say that knows its notes."""
    return f"{question} (I know {len(notes)} things)"


@kitaru.flow
def support(question: str) -> str:
    """Answer, and remember the question."""
    notes = memory.get("notes", default=[])
    text = answer(question, notes)
    memory.set("notes", [*notes, question])
    return text


if __name__ == "__main__":
    print(support.run("Where is my parcel?").wait())
    handle = support.run("And my refund?")
    print(handle.wait())
    client = KitaruClient()
    then = client.memories.as_of(handle.exec_id, "answer")
    now = client.memories.as_of(handle.exec_id)
    print("it knew version", then[0].version, "and left version", now[0].version)
