"""The key that secrets are encrypted with: from the environment, the OS keyring, or a file of the user's."""

from __future__ import annotations

import os
import stat
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.home import home

ENVIRONMENT = "KITARU_SECRET_KEY"
KEY_FILE = "secret.key"
KEY_BYTES = 32
SERVICE, ENTRY = "kitaru", "secret-key"
SOURCES = f"{ENVIRONMENT}, the OS keyring (with the extra kitaru[keyring]), the file {KEY_FILE} in the user's folder"
_MAKE = "python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"


@dataclass(frozen=True)
class SecretKey:
    """A key and where it comes from; ``key_id`` tells it from others without giving it away."""

    data: bytes = field(repr=False)
    source: str

    @cached_property
    def key_id(self) -> str:
        """16 hexadecimal digits."""
        return blake2b(self.data, digest_size=8, person=b"kitaru-key").hexdigest()


def key_file() -> Path:
    """Where the file is, or would be."""
    return home() / KEY_FILE


def keys() -> Iterator[SecretKey]:
    """The keys that there are, in the order in which they count. None is made.

    Raises:
        KitaruUsageError: one is not a key, or its file can be read by others.
        KitaruBackendError: the keyring or the file cannot be read.
    """
    text = os.environ.get(ENVIRONMENT)
    if text:
        yield _parsed(text, ENVIRONMENT)
    keyring = _keyring()
    if keyring is not None:
        held = _from_keyring(keyring)
        if held is not None:
            yield held
    path = key_file()
    if path.exists():
        yield _from_file(path)


def current_key() -> SecretKey:
    """The key to encrypt with: the first that there is, else a new one, in the keyring or else in the file.

    Raises:
        KitaruUsageError: as ``keys``.
        KitaruBackendError: as ``keys``, and when the new one cannot be kept.
    """
    found = next(keys(), None)
    if found is not None:
        return found
    keyring = _keyring()
    try:
        home().mkdir(mode=0o700, parents=True, exist_ok=True)
        return _made_in_file(key_file()) if keyring is None else _made_in_keyring(keyring)
    except OSError as error:
        raise KitaruBackendError(
            f"A key for secrets cannot be kept in {home()}: {error.strerror}. Look at the folder's rights, or set "
            f"{ENVIRONMENT}. Make a key with: {_MAKE}"
        ) from error


def _new() -> str:
    return urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def _parsed(text: str, source: str) -> SecretKey:
    try:
        data = urlsafe_b64decode(text.strip())
    except ValueError:
        data = b""
    if len(data) != KEY_BYTES:
        raise KitaruUsageError(
            f"The key for secrets in {source} is not {KEY_BYTES} bytes in URL-safe base64. Make one with: {_MAKE}"
        )
    return SecretKey(data, source)


# ---------------------------------------------------------------- the OS keyring


def _keyring() -> Any:
    """The module, when it is installed and has a keyring that can be used."""
    if find_spec("keyring") is None:
        return None
    keyring: Any = import_module("keyring")
    chosen = keyring.get_keyring()
    unusable = type(chosen).__module__ in ("keyring.backends.fail", "keyring.backends.null")
    return None if unusable or chosen.priority <= 0 else keyring


def _from_keyring(keyring: Any) -> SecretKey | None:
    errors: Any = import_module("keyring.errors")
    try:
        text = keyring.get_password(SERVICE, ENTRY)
    except errors.KeyringError as error:
        raise _refused(error) from error
    return None if text is None else _parsed(text, "the OS keyring")


def _made_in_keyring(keyring: Any) -> SecretKey:
    errors: Any = import_module("keyring.errors")
    with _one_at_a_time():
        held = _from_keyring(keyring)
        if held is None:
            try:
                keyring.set_password(SERVICE, ENTRY, _new())
            except errors.KeyringError as error:
                raise _refused(error) from error
            held = _from_keyring(keyring)
    if held is None:
        raise KitaruBackendError(
            f"The OS keyring forgot the key for secrets at once. Set {ENVIRONMENT} instead."
        )
    return held


def _refused(error: Exception) -> KitaruBackendError:
    return KitaruBackendError(
        f"The OS keyring does not give out the key for secrets: {error!r}. Unlock it, or set {ENVIRONMENT}."
    )


@contextmanager
def _one_at_a_time() -> Generator[None]:
    """A keyring cannot add what must not be there: processes take turns."""
    import fcntl

    with open(home() / f"{KEY_FILE}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# ---------------------------------------------------------------- the file


def _from_file(path: Path) -> SecretKey:
    try:
        with path.open() as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise KitaruUsageError(
                    f"The key for secrets in {path} has mode {mode:04o}: others can get at it. Type: chmod 600 '{path}'"
                )
            return _parsed(file.read(), str(path))
    except OSError as error:
        raise KitaruBackendError(
            f"The key for secrets in {path} cannot be read: {error.strerror}. Look at its owner and its rights."
        ) from error


def _made_in_file(path: Path) -> SecretKey:
    """Written beside it and linked to its name, which only one process can do: no other reads half a key."""
    beside = path.with_name(f"{KEY_FILE}.{uuid.uuid4().hex}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(_new())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return _from_file(path)
        _sync_folder(path.parent)
    finally:
        beside.unlink()
    return _from_file(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
