"""Where the key of the secrets comes from."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import kitaru
from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.secrets.keys import current_key, keys
from tests.secrets.test_secrets import a_key
from tests.support.processes import Python, wait_until

BACKEND = """
import os
from pathlib import Path
import keyring.backend, keyring.errors

FILE = Path(__file__).with_name("kept.txt")

class Keyring(keyring.backend.KeyringBackend):
    priority = 5

    def get_password(self, service, username):
        if os.environ.get("LOCKED"):
            raise keyring.errors.KeyringLocked("it is locked")
        return FILE.read_text() if FILE.exists() else None

    def set_password(self, service, username, password):
        FILE.write_text(password)
"""

IN_KEYRING = """
import kitaru
from kitaru.secrets.keys import keys
if not kitaru.KitaruClient().secrets.list():
    kitaru.create_secret("mail", PASSWORD="correct horse")
assert kitaru.get_secret("mail") == {"PASSWORD": "correct horse"}
print(*[key.source for key in keys()], sep=", ")
"""


def test_the_file_is_made_once_for_its_owner_alone(kitaru_home: Path) -> None:
    before = os.umask(0)
    try:
        kitaru.create_secret("mail", PASSWORD="correct horse")
    finally:
        os.umask(before)
    file = kitaru_home / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in kitaru_home.glob("secret.key*")] == ["secret.key"]
    assert current_key() == next(keys())
    assert file.read_text() not in repr(current_key())


def test_a_file_that_others_can_read_is_refused(kitaru_home: Path) -> None:
    kitaru.create_secret("mail", PASSWORD="correct horse")
    (kitaru_home / "secret.key").chmod(0o640)
    with pytest.raises(KitaruUsageError, match=r"mode 0640.*chmod 600"):
        kitaru.get_secret("mail")
    (kitaru_home / "secret.key").chmod(0o600)
    assert kitaru.get_secret("mail") == {"PASSWORD": "correct horse"}


def test_processes_that_make_it_at_once_agree(python: Python) -> None:
    script = python.script(
        "import sys, time, pathlib\n"
        "from kitaru.secrets.keys import current_key\n"
        "pathlib.Path(f'ready-{sys.argv[1]}').touch()\n"
        "while not pathlib.Path('gate').exists(): pass\n"
        "print(current_key().key_id)\n"
    )
    started = [python.start(script, str(number)) for number in range(4)]
    wait_until(lambda: len(list(python.folder.glob("ready-*"))) == 4, "all to be ready")
    (python.folder / "gate").touch()
    assert len({process.succeed() for process in started}) == 1


def test_the_environment_comes_first_and_the_file_still_opens_what_it_closed(
    kitaru_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitaru.create_secret("old", KEY="kept by the file")
    monkeypatch.setenv("KITARU_SECRET_KEY", a_key())
    kitaru.create_secret("new", KEY="kept by the environment")
    assert kitaru.get_secret("old") == {"KEY": "kept by the file"}
    assert kitaru.get_secret("new") == {"KEY": "kept by the environment"}
    monkeypatch.delenv("KITARU_SECRET_KEY")
    with pytest.raises(KitaruBackendError, match="not here"):
        kitaru.get_secret("new")


@pytest.mark.parametrize("text", ["short", "ü" * 43, "A" * 44])
def test_what_is_no_key_is_told(kitaru_home: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KITARU_SECRET_KEY", text)
    with pytest.raises(
        KitaruUsageError, match=r"KITARU_SECRET_KEY is not 32 bytes.*Make one with"
    ) as refused:
        kitaru.create_secret("mail", PASSWORD="correct horse")
    assert text not in str(refused.value)


def test_a_keyring_that_can_be_used_has_the_key(python: Python) -> None:
    python.script(BACKEND, "kept_in_a_file.py")
    script = python.script(IN_KEYRING)
    kept = {"PYTHON_KEYRING_BACKEND": "kept_in_a_file.Keyring"}
    for _ in range(2):
        assert python.run(script, environment=kept) == "the OS keyring\n"
    assert not (python.home / ".kitaru" / "secret.key").exists()
    locked = python.start(script, environment={**kept, "LOCKED": "yes"})
    assert locked.wait() == 1
    assert "it is locked" in locked.output
    assert "Unlock it, or set KITARU_SECRET_KEY" in locked.output


def test_without_a_keyring_that_can_be_used_there_is_the_file(python: Python) -> None:
    unusable = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    told = python.run(python.script(IN_KEYRING), environment=unusable)
    assert told == f"{python.home / '.kitaru' / 'secret.key'}\n"
