"""PostgreSQL that goes away: what is repeated, and what is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kitaru.errors import KitaruBackendError
from kitaru.store import open_store
from kitaru.store.protocol import Fenced, Store
from kitaru.store.records import AttemptRecord, Status
from tests.store.cutting_proxy import CuttingProxy
from tests.store.making import (
    LEASE,
    append,
    call,
    everything,
    failed,
    finish,
    held,
    ids,
    new,
    suspended,
    wait,
)
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until


@pytest.fixture
def admin(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    opened = open_store(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[CuttingProxy]:
    (socket,) = Path(str(conninfo_to_dict(postgres_url)["host"])).glob(".s.PGSQL.*[0-9]")
    cutting = CuttingProxy(socket)
    yield cutting
    cutting.close()


@pytest.fixture
def far_store(postgres_url: str, proxy: CuttingProxy) -> Iterator[Store]:
    """A store behind the proxy."""
    database = conninfo_to_dict(postgres_url)["dbname"]
    opened = open_store(f"postgresql://postgres@/{database}?host={proxy.folder}")
    yield opened
    opened.close()


OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def cut_off(admin: psycopg.Connection[Any]) -> None:
    """End all other connections, as an administrator or a restarting server does."""
    admin.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    wait_until(lambda: admin.execute(f"SELECT count(*) {OTHERS}").fetchone() == (0,), "the backends to end")


def test_a_store_outlives_its_connections(store: Store, admin: psycopg.Connection[Any]) -> None:
    held(store)
    append(store, call(1))
    for use in (
        lambda: append(store, call(2)),
        lambda: append(store, call(3), call(4)),
        lambda: store.calls("e1"),
        store.now,
        store.reads.executions,
        lambda: store.heartbeat("runner", {"e1": 1}, LEASE),
        lambda: store.create(new("e2")),
        lambda: store.take("e2", "runner", LEASE),
        lambda: store.merge_metadata("e1", {"a": 1}),
        lambda: finish(store),
    ):
        cut_off(admin)
        use()
    assert ids(store.calls("e1")) == [(seq, f"step#{seq}") for seq in (1, 2, 3, 4)]
    assert store.status("e1") is Status.COMPLETED


def test_a_store_outlives_a_crash_of_the_server(store: Store, postgres_server: PostgresServer) -> None:
    held(store)
    append(store, call(1))
    postgres_server.stop(crash=True)
    try:
        with pytest.raises(
            KitaruBackendError, match=r"postgresql://postgres@.*See that the server runs"
        ) as told:
            append(store, call(2))
        assert told.value.transient
        with pytest.raises(KitaruBackendError):
            store.calls("e1")
        with pytest.raises(KitaruBackendError):
            finish(store)
    finally:
        postgres_server.start()
    append(store, call(2))
    assert ids(store.calls("e1")) == [(1, "step#1"), (2, "step#2")]


REPEATED: dict[str, tuple[bytes, Callable[[Store], Any]]] = {
    "one record": (b"marker#1", lambda store: append(store, call(1, "marker#1"))),
    "two records": (b"COMMIT", lambda store: append(store, call(1, "marker#1"), call(2, "marker#2"))),
    "metadata": (b"COMMIT", lambda store: append(store, call(1, "marker#1"), metadata={"a": 1})),
    "create": (b"COMMIT", lambda store: store.create(new("e2"))),
    "release": (b"COMMIT", lambda store: store.release("e1", 1)),
    "suspend": (b"COMMIT", lambda store: store.suspend("e1", 1, 1.0)),
    "finish": (b"COMMIT", lambda store: finish(store, active_seconds=1.0)),
    "heartbeat": (b"COMMIT", lambda store: store.heartbeat("runner", {"e1": 1}, LEASE)),
    "cancel": (b"COMMIT", lambda store: store.request_cancel("e1", dead_owner="runner")),
    "void": (b"COMMIT", lambda store: store.void("e1", 1, ["bad#1"], AttemptRecord("", 1, {}))),
}


@pytest.mark.parametrize("name", REPEATED)
def test_a_commit_whose_outcome_is_lost_is_repeated(
    name: str, far_store: Store, store: Store, proxy: CuttingProxy
) -> None:
    marker, write = REPEATED[name]
    held(store)
    append(store, failed(9, "bad#1"))
    seen = everything(far_store)
    proxy.cut_after = marker
    write(far_store)
    assert proxy.cuts == 1
    once = everything(store)
    assert name in ("create", "heartbeat") or once != seen
    assert once[0].epoch == (2 if name == "cancel" else 1)
    assert once[0].active_seconds == (1.0 if name in ("suspend", "finish") else 0.0)
    assert len(once[2]) == (2 if name == "void" else 0)


NOT_REPEATED: dict[str, Callable[[Store], Any]] = {
    "take": lambda store: store.take("e1", "other", LEASE, dead_owner="runner"),
    "settle": lambda store: store.settle("e2", "ask#1", "answered"),
    "reopen": lambda store: store.reopen("e3", []),
}


@pytest.mark.parametrize("name", NOT_REPEATED)
def test_what_cannot_be_repeated_is_told(
    name: str, far_store: Store, store: Store, proxy: CuttingProxy
) -> None:
    held(store)
    suspended(store, wait(), exec_id="e2")
    held(store, "e3")
    finish(store, "e3", status=Status.FAILED)
    store.check()
    far_store.execution("e1")
    proxy.cut_after = b"COMMIT"
    with pytest.raises(KitaruBackendError, match="is not known") as told:
        NOT_REPEATED[name](far_store)
    assert told.value.unknown
    assert far_store.execution("e1").epoch == (2 if name == "take" else 1)


def test_a_batch_whose_commit_is_lost_is_repeated_whole(
    far_store: Store, store: Store, proxy: CuttingProxy, admin: psycopg.Connection[Any]
) -> None:
    names = [f"e{number}" for number in range(8)]
    for exec_id in names:
        held(store, exec_id)
    with ThreadPoolExecutor(len(names)) as threads:
        admin.execute("BEGIN")
        # The first append waits for this lock; the others queue up behind it and share a transaction.
        admin.execute("SELECT 1 FROM executions WHERE exec_id = 'e0' FOR UPDATE")
        first = threads.submit(append, far_store, call(1), exec_id="e0")
        wait_until(lambda: waiting(admin) == 1, "the first append to wait")
        others = [threads.submit(append, far_store, call(1), exec_id=exec_id) for exec_id in names[1:]]
        queue = far_store._database._group._queue
        wait_until(lambda: len(queue) == len(names) - 1, "the others to queue up")
        proxy.cut_after = b"COMMIT"
        admin.execute("COMMIT")
        for future in (first, *others):
            future.result()
    assert proxy.cuts == 1
    assert [ids(store.calls(exec_id)) for exec_id in names] == [[(1, "step#1")]] * len(names)


def waiting(admin: psycopg.Connection[Any]) -> int:
    row = admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    assert row is not None
    return row[0]


def test_a_takeover_comes_wholly_before_or_after_an_append(
    store: Store, postgres_url: str, admin: psycopg.Connection[Any]
) -> None:
    held(store, owner="dead")
    zombie = open_store(postgres_url)
    with ThreadPoolExecutor(1) as threads:
        admin.execute("BEGIN")
        admin.execute("UPDATE executions SET epoch = 2, lease_owner = 'other' WHERE exec_id = 'e1'")
        late = threads.submit(append, zombie, call(1))
        wait_until(lambda: waiting(admin) == 1, "the append to wait for the takeover")
        admin.execute("COMMIT")
        with pytest.raises(Fenced):
            late.result()
    assert store.calls("e1") == []
    zombie.close()


def test_a_row_that_stays_locked_is_told(
    store: Store, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    held(store)
    monkeypatch.setattr("kitaru.store.postgres_connections._SETTINGS", "SET lock_timeout = '50ms'")
    impatient = open_store(store.url)
    with admin.transaction():
        admin.execute("SELECT 1 FROM executions FOR UPDATE")
        for write in (lambda: append(impatient, call(1)), lambda: impatient.release("e1", 1)):
            with pytest.raises(KitaruBackendError, match="database is locked"):
                write()
    append(impatient, call(1))
    impatient.close()


def test_a_password_is_not_shown() -> None:
    with pytest.raises(KitaruBackendError) as told:
        open_store("postgresql://somebody:secret@localhost:1/kitaru?connect_timeout=2")
    assert "secret" not in str(told.value)
    assert "postgresql://somebody@localhost:1/kitaru" in str(told.value)


def test_a_malformed_url_is_told() -> None:
    with pytest.raises(KitaruBackendError, match="cannot be read"):
        open_store("postgresql://host:port:more/x?nonsense=1")


def test_a_missing_driver_is_told() -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from kitaru.errors import KitaruFeatureNotAvailableError
from kitaru.store import open_store
try:
    open_store("postgresql://localhost/kitaru")
except KitaruFeatureNotAvailableError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'kitaru[postgres]'" in told


def test_what_the_url_says_counts_before_our_defaults(postgres_url: str) -> None:
    url = f"{postgres_url}&application_name=mine"
    opened = open_store(url)
    with psycopg.connect(make_conninfo(url)) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mine'"
        ).fetchone()
    assert found is not None
    assert found[0] >= 2
    opened.close()
