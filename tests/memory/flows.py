"""Flows that remember, for processes that are killed."""

from __future__ import annotations

import os

import kitaru
from kitaru import memory
from kitaru.errors import KitaruConflictError

SCOPE = "shared"


@kitaru.checkpoint
def compute(facts: list[str]) -> str:
    """Something from what was read."""
    return f"fact {len(facts) + 1}"


@kitaru.flow
def remembering(times: int) -> list[str]:
    """Reads, computes, writes, deletes, loses a compare-and-set."""
    memory.configure(scope_type="execution")
    for _ in range(times):
        facts = memory.get("facts", default=[])
        memory.set("facts", [*facts, compute(facts)])
        memory.set("scratch", len(facts))
    memory.delete("scratch")
    try:
        memory.set("facts", [], expect_version=1)
    except KitaruConflictError as error:
        lost = error.current_version
    versions = [
        f"{entry.key}@{entry.version}" for entry in (*memory.history("facts"), *memory.history("scratch"))
    ]
    return [*memory.get("facts"), *versions, f"lost to {lost}"]


def increments(times: int) -> None:
    """Add to one number, by compare-and-set against everybody else."""
    client = kitaru.KitaruClient()
    for _ in range(times):
        while True:
            found = client.memories.get("n", scope=SCOPE)
            value = 0 if found is None else client.artifacts.get(found.artifact_id).load()
            version = 0 if found is None else found.version
            try:
                client.memories.set("n", value + 1, scope=SCOPE, expect_version=version)
            except KitaruConflictError:
                continue
            break


if __name__ == "__main__":
    increments(int(os.environ["TIMES"]))
