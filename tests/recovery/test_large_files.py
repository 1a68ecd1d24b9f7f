"""Files larger than the memory of the process that stores and reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kitaru import KitaruClient
from kitaru.home import home
from tests.recovery.conftest import Stage
from tests.support.processes import Python, wait_for_line, wait_until

GIB = 1 << 30

LIMITED = """
import resource, sys
from pathlib import Path
import kitaru

@kitaru.checkpoint
def record(path):
    with open(path, "rb") as file:
        kitaru.save("recording", file, type="blob")

@kitaru.flow
def recording(path):
    record(path)

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
    exec_id = recording.run("large.bin")
    exec_id.wait()
    (found,) = kitaru.KitaruClient().artifacts.list(exec_id.exec_id, name="recording")
    assert found.size == Path("large.bin").stat().st_size
    found.download("copy.bin")
    try:
        found.load()
    except MemoryError:
        print("load would take all of it", found.preview)
"""

KILLED = """
class Slow:
    def __init__(self, file):
        self.file = file
        self.readable, self.seekable, self.tell, self.seek = file.readable, file.seekable, file.tell, file.seek

    def read(self, size):
        if self.file.tell() > 30_000_000:
            ran("reading")
            block_until("gate")
        return self.file.read(size)

@kitaru.checkpoint
def record():
    with (HERE / "large.bin").open("rb") as file:
        kitaru.save("recording", Slow(file), type="blob")

@kitaru.flow
def recording():
    record()

if __name__ == "__main__":
    recording.run()
"""


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_gibibyte_is_stored_and_read_in_600_mebibytes(python: Python) -> None:
    large = python.folder / "large.bin"
    with large.open("wb") as file:
        for position in range(0, GIB, 1 << 24):
            file.seek(position)
            file.write(b"\xff%d" % position)
        file.truncate(GIB)
    said = python.run(python.script(LIMITED))
    assert f"load would take all of it <{GIB} bytes> ff 30" in said
    assert digest(python.folder / "copy.bin") == digest(large)


def test_a_kill_in_the_middle_leaves_nothing_behind(both: Stage) -> None:
    large = both.python.folder / "large.bin"
    large.write_bytes(bytes(range(256)) * 250_000)
    process, exec_id = both.start(KILLED)
    wait_for_line(both.side, "reading")
    process.kill_group()
    incoming = home() / "objects" / "incoming"
    assert len(list(incoming.iterdir())) == 1
    both.open("gate")
    both.resume(exec_id)
    client = KitaruClient()
    wait_until(lambda: client.executions.get(exec_id).status == "completed", "the end")
    (found,) = client.artifacts.list(exec_id, name="recording")
    found.download(both.python.folder / "copy.bin")
    assert digest(both.python.folder / "copy.bin") == digest(large)
    assert list(incoming.iterdir()) == []
