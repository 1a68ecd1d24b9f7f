"""SQLite files that cannot be used: each is told with what to do, and what was acknowledged stays."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.store import open_store
from kitaru.store.protocol import Fenced
from tests.store.making import append, call, finish, held
from tests.support.processes import Python


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "deeper" / "kitaru.db"


def test_files_are_their_owners_alone(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    held(store)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"kitaru.db": 0o600, "kitaru.db-wal": 0o600, "kitaru.db-shm": 0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    store.close()


def test_every_commit_is_synced(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    writer = store._database._open_writer()
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_a_locked_database_is_told_and_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"sqlite:///{file}")
    held(store)
    monkeypatch.setattr("kitaru.store.sqlite.BUSY_SECONDS", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for write in (lambda: append(store, call(1)), lambda: store.release("e1", 1), lambda: finish(store)):
        with pytest.raises(KitaruBackendError, match=f"database is locked.*fuser {file}") as told:
            write()
        assert told.value.transient
    assert store.calls("e1") == [], "readers do not wait for writers"
    other.execute("ROLLBACK")
    other.close()
    append(store, call(1))
    assert len(store.calls("e1")) == 1
    store.close()


def garbage(file: Path) -> None:
    file.write_bytes(b"this is not a database, but it is long enough to look at" * 100)


def a_folder(file: Path) -> None:
    file.mkdir()


def a_file_for_a_folder(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (garbage, "not an SQLite database"),
        (a_folder, "not a file's"),
        (a_file_for_a_folder, "cannot be made"),
    ],
)
def test_what_is_no_database_is_told(file: Path, spoil: Callable[[Path], None], says: str) -> None:
    file.parent.mkdir(parents=True)
    spoil(file)
    with pytest.raises(KitaruBackendError, match=says) as told:
        open_store(f"sqlite:///{file}")
    assert str(file) in str(told.value)


def test_a_damaged_database_is_told(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    held(store)
    append(store, *(call(seq, inputs={"text": "x" * 900}) for seq in range(1, 1000)))
    store.close()
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 2)
        opened.write(b"\xff" * (size // 2))
    store = open_store(f"sqlite:///{file}")
    with pytest.raises(KitaruBackendError, match=r"is damaged.*\.recover"):
        store.calls("e1")
    store.close()


FULL_DISK = """
import resource, sys
together = int(sys.argv[2])
from kitaru.errors import KitaruBackendError
from kitaru.store import open_store
from tests.store.making import append, call, held

store = open_store(sys.argv[1])
held(store)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_600_000, hard))
seq = 0
try:
    while True:
        append(store, *(call(seq + 1 + n, inputs={"text": "x" * 5000}) for n in range(together)))
        seq += together
except KitaruBackendError as error:
    assert "df -h" in str(error), error
    assert error.transient and not error.unknown
    assert error.__cause__ is not None
assert seq > 10
assert len(store.calls("e1")) == seq
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
append(store, call(seq + 1))
assert [record.seq for record in store.calls("e1")] == list(range(1, seq + 2))
store.close()
"""


@pytest.mark.parametrize("together", ["1", "2"], ids=["one statement", "a transaction"])
def test_a_full_disk_is_told_and_goes_on_when_there_is_room(
    file: Path, python: Python, together: str
) -> None:
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    python.run(python.script(FULL_DISK), f"sqlite:///{file}", together, environment=environment)


def test_a_file_that_was_moved_away_is_noticed_before_a_commit_is_acknowledged(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    held(store)
    append(store, call(1))
    moved = file.parent.rename(file.parent.with_name("elsewhere"))
    for use in (
        lambda: append(store, call(2)),
        lambda: append(store, call(2), call(3)),
        lambda: finish(store),
        lambda: store.calls("e1"),
        store.check,
    ):
        with pytest.raises(KitaruBackendError, match=f"{file} was removed, or replaced") as told:
            use()
        assert not told.value.transient
    file.parent.mkdir()
    file.touch()
    with pytest.raises(KitaruBackendError, match="replaced by another file"):
        append(store, call(2))
    file.unlink()
    file.parent.rmdir()
    moved.rename(file.parent)
    assert store.calls("e1")[0].call_id == "step#1"
    store.close()


def test_what_can_never_be_written_is_no_passing_fault(file: Path) -> None:
    store = open_store(f"sqlite:///{file}")
    held(store)
    store._database._open_writer().execute("PRAGMA query_only=ON")
    for write in (lambda: append(store, call(1)), lambda: append(store, call(1), call(2))):
        with pytest.raises(KitaruBackendError, match="cannot be written") as told:
            write()
        assert not told.value.transient
    store.close()


def test_relative_paths_are_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///one.db", "sqlite://two.db"):
        store = open_store(url)
        assert store.url == f"sqlite:///{tmp_path}/{url.rpartition('/')[2]}"
        store.close()
    assert (tmp_path / "one.db").is_file()
    assert (tmp_path / "two.db").is_file()


def test_odd_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "a folder?mode=ro#50%25 ü"
    store = open_store(f"sqlite:///{folder}/k.db")
    held(store)
    store.close()
    assert [path.name for path in folder.iterdir()] == ["k.db"]


@pytest.mark.parametrize("url", ["kitaru.db", "mysql://host/x", "sqlite://", "sqlite:///", ""])
def test_other_urls_are_told(url: str) -> None:
    with pytest.raises(KitaruUsageError, match="KITARU_DATABASE_URL"):
        open_store(url)


def test_a_database_in_memory_lives_as_long_as_its_store() -> None:
    store = open_store("sqlite:///:memory:")
    held(store)
    append(store, call(1))
    append(store, call(2), call(3))
    with pytest.raises(Fenced):
        append(store, call(4), epoch=2)
    assert [row.exec_id for row in store.reads.executions()[0]] == ["e1"]
    store.check()
    store.close()
    other = open_store("sqlite:///:memory:")
    assert other.reads.executions() == ([], None)
    other.close()
