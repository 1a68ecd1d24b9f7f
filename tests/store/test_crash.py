"""A process that dies: what it was told is committed is there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kitaru.store import open_store
from tests.store.making import LEASE, append, call
from tests.support.processes import Python, lines, wait_until

WRITER = """
import os, sys, threading
from kitaru.store import open_store
from tests.store.making import append, call, held

url, told = sys.argv[1:]
store = open_store(url)
told = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def write(exec_id):
    held(store, exec_id)
    for seq in range(1, 1_000_000):
        append(store, call(seq), exec_id=exec_id)
        os.write(told, f"{exec_id} {seq}\\n".encode())

for number in range(4):
    threading.Thread(target=write, args=[f"e{number}"]).start()
"""


def test_what_was_acknowledged_survives_a_kill(database_url: str, python: Python, tmp_path: Path) -> None:
    script = python.script(WRITER)
    told = tmp_path / "told"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = python.start(script, database_url, told, environment=environment)
    wait_until(lambda: len(lines(told)) > 400 or process.popen.poll() is not None, "400 appends")
    process.kill()
    assert process.output == ""
    acknowledged = {tuple(line.split()) for line in lines(told)}

    store = open_store(database_url)
    for exec_id in ("e0", "e1", "e2", "e3"):
        found = [record.seq for record in store.calls(exec_id, limit=1_000_000)]
        assert found == list(range(1, len(found) + 1)), "no gaps"
        assert {(exec_id, str(seq)) for seq in found} >= {pair for pair in acknowledged if pair[0] == exec_id}
        row = store.take(exec_id, "next", LEASE, dead_owner="runner")
        assert row is not None
        append(store, call(len(found) + 1), exec_id=exec_id, epoch=row.epoch)
    store.close()
    if database_url.startswith("sqlite"):
        with sqlite3.connect(database_url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
