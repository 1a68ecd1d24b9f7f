"""Connections: none is left, a closed store says so, and a fork starts clean."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from kitaru.errors import KitaruBackendError, KitaruStateError
from kitaru.store import open_store
from tests.store.making import append, call, held
from tests.support.processes import Python, wait_until


def open_connections(database_url: str) -> int:
    if database_url.startswith("sqlite"):
        folder = str(Path(database_url.removeprefix("sqlite:///")).parent)
        return sum(file.path.startswith(folder) for file in psutil.Process().open_files())
    import psycopg

    with psycopg.connect(database_url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert found is not None
    return found[0]


def test_no_connection_is_left(database_url: str) -> None:
    store = open_store(database_url)
    for number in range(8):
        held(store, f"e{number}")

    def use(number: int) -> None:
        for seq in range(1, 6):
            append(store, call(seq), exec_id=f"e{number}")
            store.calls(f"e{number}")
            with pytest.raises(KitaruStateError):
                store.reopen(f"e{number}", [])
            with pytest.raises(KitaruStateError):
                store.status("nowhere")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert open_connections(database_url) > 0
    store.close()
    store.close()
    wait_until(lambda: open_connections(database_url) == 0, "the connections to end")


def test_a_closed_store_says_so(database_url: str) -> None:
    store = open_store(database_url)
    held(store)
    store.close()
    for use in (
        lambda: append(store, call(1)),
        lambda: store.calls("e1"),
        store.check,
        lambda: store.release("e1", 1),
    ):
        with pytest.raises(KitaruBackendError, match="was closed"):
            use()


FORKER = """
import os, sys, threading
from kitaru.store import open_store
from tests.store.making import append, call, held

store = open_store(sys.argv[1])
held(store, "parent"); held(store, "child")
append(store, call(1), exec_id="child")
stop = threading.Event()

def write():
    seq = 0
    while not stop.is_set() or seq < 20:
        seq += 1
        append(store, call(seq), exec_id="parent")
        store.calls("parent", after_seq=seq - 1)
    print("parent", seq)

thread = threading.Thread(target=write)
thread.start()
children = []
for number in range(3):
    pid = os.fork()
    if pid == 0:
        append(store, call(2 + number), exec_id="child")
        assert store.calls("child")[-1].seq == 2 + number
        sys.exit(0)  # an orderly end, with all that the interpreter does then
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
stop.set()
thread.join()
store.close()
"""


def test_a_forked_child_uses_connections_of_its_own(database_url: str, python: Python) -> None:
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }
    output = python.run(python.script(FORKER), database_url, environment=environment)
    written = int(output.removeprefix("parent "))
    store = open_store(database_url)
    assert [record.seq for record in store.calls("child")] == [1, 2, 3, 4]
    assert [record.seq for record in store.calls("parent", limit=1_000_000)] == list(range(1, written + 1))
    store.close()
