"""A process that reads and writes one key at random, and says what it did and when."""

from __future__ import annotations

import json
import os
import random
import time

from kitaru import KitaruClient
from kitaru.errors import KitaruConflictError

SCOPE, KEY = "contended", "k"


def main(seed: int, times: int) -> None:
    """Do so many operations; each is a line of JSON."""
    chance = random.Random(seed)
    client = KitaruClient()
    seen = 0
    for number in range(times):
        kind = chance.choice(("get", "set", "cas", "cas"))
        argument = None if kind == "get" else f"{seed}.{number}"
        given = [seen, argument] if kind == "cas" else argument
        began = time.monotonic_ns()
        if kind == "get":
            entry = client.memories.get(KEY, scope=SCOPE)
            outcome = [entry.version, client.artifacts.get(entry.artifact_id).load()] if entry else [0, None]
            seen = outcome[0]
        elif kind == "set":
            seen = outcome = client.memories.set(KEY, argument, scope=SCOPE).version
        else:
            try:
                seen = client.memories.set(KEY, argument, scope=SCOPE, expect_version=seen).version
                outcome = ["set", seen]
            except KitaruConflictError as error:
                seen = error.current_version
                outcome = ["conflict", seen]
        print(json.dumps([kind, given, outcome, began, time.monotonic_ns()]), flush=True)


if __name__ == "__main__":
    main(int(os.environ["SEED"]), int(os.environ["TIMES"]))
