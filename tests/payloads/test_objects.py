"""Object storage: whole or not there, verified on the way out, and failures that say what to do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.payloads import ObjectStorage, digest_of, open_object_storage

DATA = b"a report"
DIGEST = digest_of("bytes", DATA)

# Writes objects without end, and says each digest once put() has returned.
WRITER = """
import sys
from kitaru.payloads import digest_of, open_object_storage
storage = open_object_storage(sys.argv[1])
for number in range(10**9):
    data = (b"%d " % number) * 300_000
    digest = digest_of("bytes", data)
    storage.put(digest, data)
    print(digest, flush=True)
"""


@pytest.fixture(params=["path", "file://", "memory://"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    urls = {"path": str(tmp_path / "o"), "file://": (tmp_path / "a b").as_uri(), "memory://": "memory://"}
    return open_object_storage(urls[request.param])


def test_put_get_exists_delete(storage: ObjectStorage) -> None:
    assert not storage.exists(DIGEST)
    storage.put(DIGEST, DATA)
    storage.put(DIGEST, DATA)
    assert storage.exists(DIGEST)
    assert storage.get(DIGEST, "bytes") == DATA
    storage.delete(DIGEST)
    storage.delete(DIGEST)
    assert not storage.exists(DIGEST)


def test_empty_and_large(storage: ObjectStorage) -> None:
    for data in (b"", os.urandom(20_000_000)):
        digest = digest_of("bytes", data)
        storage.put(digest, data)
        assert storage.get(digest, "bytes") == data


def test_a_missing_object_is_named_with_the_next_step(storage: ObjectStorage) -> None:
    with pytest.raises(KitaruBackendError, match=rf"{DIGEST} is missing.*/{DIGEST[:2]}/{DIGEST}.*replay"):
        storage.get(DIGEST, "bytes")


def test_an_object_of_another_codec_is_no_match(storage: ObjectStorage) -> None:
    storage.put(DIGEST, DATA)
    with pytest.raises(KitaruBackendError, match=f"{DIGEST} is damaged"):
        storage.get(DIGEST, "json")


def test_a_damaged_file_is_noticed(tmp_path: Path) -> None:
    storage = open_object_storage(str(tmp_path))
    storage.put(DIGEST, DATA)
    path = tmp_path / DIGEST[:2] / DIGEST
    path.write_bytes(b"a repost")
    with pytest.raises(KitaruBackendError, match=re.escape(f"{DIGEST} is damaged: {path} holds 8 bytes")):
        storage.get(DIGEST, "bytes")


def test_a_truncated_file_is_written_again(tmp_path: Path) -> None:
    storage = open_object_storage(str(tmp_path))
    storage.put(DIGEST, DATA)
    (tmp_path / DIGEST[:2] / DIGEST).write_bytes(b"a re")
    storage.put(DIGEST, DATA)
    assert storage.get(DIGEST, "bytes") == DATA


def test_nothing_but_the_object_is_left(tmp_path: Path) -> None:
    open_object_storage(str(tmp_path)).put(DIGEST, DATA)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [DIGEST]


def test_a_full_disk_is_told_and_leaves_nothing() -> None:
    """A process that may write files of 1 MB only: the kernel refuses in the middle of the write."""
    program = """
import resource, signal, sys, tempfile, pathlib
from kitaru.errors import KitaruBackendError
from kitaru.payloads import digest_of, open_object_storage
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))
with tempfile.TemporaryDirectory() as folder:
    data = b"x" * 3 * 10**6
    try:
        open_object_storage(folder).put(digest_of("bytes", data), data)
    except KitaruBackendError as error:
        print(type(error.__cause__).__name__, str(error).startswith("Could not write object"))
    print([path for path in pathlib.Path(folder).rglob("*") if path.is_file()])
"""
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout == "OSError True\n[]\n"


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    storage = open_object_storage(str(tmp_path / "file"))
    with pytest.raises(KitaruBackendError, match="Could not write object") as caught:
        storage.put(DIGEST, DATA)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_kill_while_writing_leaves_only_whole_objects(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for objects in range(1, 6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            acknowledged += [writer.stdout.readline().strip() for _ in range(objects)]
            writer.kill()
    storage = open_object_storage(str(tmp_path))
    names = [path.name for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert set(acknowledged) <= set(names)
    for name in names:
        storage.get(name, "bytes")


@pytest.mark.parametrize("url", ["ftp://host/x", "file://host/x", "az://no-account/x"])
def test_a_url_that_says_no_storage(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(KitaruUsageError, match=re.escape(url)):
        open_object_storage(url)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 40, DIGEST + "\n"])
def test_only_digests_name_objects(storage: ObjectStorage, digest: str) -> None:
    with pytest.raises(KitaruUsageError, match="is no digest"):
        storage.exists(digest)
