"""Objects that are written and read piece by piece."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from kitaru.errors import KitaruBackendError
from kitaru.payloads import ObjectStorage, digest_of, open_object_storage

DATA = os.urandom(5_000_001)


@pytest.fixture(params=["path", "memory://"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStorage:
    return open_object_storage({"path": str(tmp_path / "o")}.get(request.param, request.param))


@pytest.mark.parametrize("start", [0, 7, len(DATA)])
def test_what_is_left_of_a_file_is_stored_as_its_bytes(storage: ObjectStorage, start: int) -> None:
    digest, size = storage.put_file(io.BytesIO(DATA), start, "bytes")
    assert (digest, size) == (digest_of("bytes", DATA[start:]), len(DATA) - start)
    assert storage.get(digest, "bytes") == DATA[start:]
    with storage.open(digest, "bytes") as file:
        assert file.read(10) == DATA[start : start + 10]
        assert file.read() == DATA[start + 10 :]
        assert file.read() == b""


class Changing(io.BytesIO):
    """Another file each time it is read from the beginning."""

    times = 0

    def seek(self, position: int, whence: int = 0) -> int:
        self.times += 1
        self.getbuffer()[-1:] = bytes([self.times])
        return super().seek(position, whence)


def test_a_file_that_changes_meanwhile_is_stored_under_no_wrong_name(tmp_path: Path) -> None:
    folder, bucket = open_object_storage(str(tmp_path)), open_object_storage("memory://")
    digest, _ = folder.put_file(Changing(DATA), 0, "bytes")
    assert digest_of("bytes", folder.get(digest, "bytes")) == digest
    with pytest.raises(KitaruBackendError, match="changed while it was read"):
        bucket.put_file(Changing(DATA), 0, "bytes")
    for times in (1, 2):
        assert not bucket.exists(digest_of("bytes", DATA[:-1] + bytes([times])))


def test_damage_is_told_when_the_end_is_read(tmp_path: Path) -> None:
    storage = open_object_storage(str(tmp_path))
    digest, _ = storage.put_file(io.BytesIO(DATA), 0, "bytes")
    path = tmp_path / digest[:2] / digest
    path.write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    with storage.open(digest, "bytes") as file:
        assert file.read(100) == DATA[:100]
        with pytest.raises(KitaruBackendError, match=f"{digest} is damaged"):
            file.read()
    with pytest.raises(KitaruBackendError, match="is missing"):
        storage.open("0" * 40, "bytes")
