"""An agent that passes and returns its whole message list: what it stores grows by its messages alone."""

from __future__ import annotations

import random
import string
from contextlib import closing

from tests.recovery.conftest import Stage
from tests.support.processes import PROJECT, wait_for_line, wait_until

SCRIPT = """
from tests.recovery.test_growth import message

@kitaru.checkpoint
def turn(messages):
    number = len(messages)
    ran(number)
    if number in (40, 200):
        block_until(f"gate{number}")
    return [*messages, message(number)]

@kitaru.flow
def agent():
    messages = []
    for _ in range(220):
        messages = turn(messages)
    return messages

if __name__ == "__main__":
    agent.run()
"""


def message(number: int) -> dict[str, str]:
    """About 2 KiB that do not compress to much less."""
    letters = random.Random(number).choices(string.ascii_letters, k=2000)
    return {"role": "user", "content": "".join(letters)}


def database_bytes(url: str) -> int:
    if url.startswith("sqlite"):
        import sqlite3

        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            return pages * connection.execute("PRAGMA page_size").fetchone()[0]
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert found is not None
        return found[0]


def test_a_turn_stores_its_message_and_a_resume_reads_all_of_them(both: Stage) -> None:
    both.python.environment["PYTHONPATH"] = str(PROJECT)
    process, exec_id = both.start(SCRIPT)
    wait_for_line(both.side, "40")
    before = database_bytes(both.database_url)
    both.open("gate40")
    wait_for_line(both.side, "200")
    grown = database_bytes(both.database_url) - before
    assert grown < 3 * 160 * len(str(message(0)))

    process.kill_group()
    both.open("gate200")
    both.resume(exec_id)
    found = wait_until(lambda: both.client.executions.get(exec_id).result, "its result")
    assert found.load() == [message(number) for number in range(220)]
    assert both.ran() == [*map(str, range(201)), *map(str, range(200, 220))]
