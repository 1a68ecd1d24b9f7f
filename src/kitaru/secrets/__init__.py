"""Secrets: names with several values each, encrypted at rest, and redacted in what people read.

Inside a flow, let the checkpoint that needs a secret ask for it. What is handed to a checkpoint or returned by one
is recorded, as every argument and result is.
"""

from __future__ import annotations

import logging
import re

from kitaru.backend import Backend, backend
from kitaru.errors import KitaruBackendError, KitaruStateError, KitaruUsageError
from kitaru.redaction import SHORTEST, redactor
from kitaru.secrets.keys import current_key, keys
from kitaru.secrets.sealing import seal, unseal
from kitaru.store.registry_records import SecretRecord

__all__ = [
    "create_secret",
    "delete_secret",
    "get_secret",
    "know_all",
    "new_secret",
    "put_secret",
    "remove_secret",
    "required",
    "reveal",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")

_tried: set[tuple[str, str]] = set()


def create_secret(name: str, values: dict[str, str] | None = None, **more: str) -> None:
    """Keep a new secret: a name with one or more values, encrypted.

    Args:
        name: letters, digits and ``. _ -``, at most 100.
        values: text of 4 or more characters for each key, a shorter one cannot be kept out of logs.
        **more: further values.

    Raises:
        KitaruStateError: there is one of this name.
        KitaruUsageError: a name, key or value that cannot be kept.

    Example:
        >>> # create_secret("openai", {"OPENAI_API_KEY": key})
    """
    new_secret(backend(), name, {**(values or {}), **more})


def get_secret(name: str) -> dict[str, str]:
    """The values of a secret, by their keys. From now on this process redacts them.

    Raises:
        KitaruStateError: there is none of this name.
        KitaruBackendError: the key that it was encrypted with is not here.

    Example:
        >>> # in a checkpoint: key = get_secret("openai")["OPENAI_API_KEY"]
    """
    return reveal(required(backend(), name))


def delete_secret(name: str) -> None:
    """Remove a secret.

    Raises:
        KitaruStateError: there is none of this name.
    """
    remove_secret(backend(), name)


def new_secret(backend: Backend, name: str, values: dict[str, str]) -> SecretRecord:
    """As ``create_secret``."""
    if backend.store.registry.secret(name) is not None:
        raise KitaruStateError(
            f"There is a secret {name!r} already. Add or change values with `kitaru secrets set {name} --KEY=-`, or "
            f"remove it with `kitaru secrets delete {name}`."
        )
    return put_secret(backend, name, values)


def remove_secret(backend: Backend, name: str) -> None:
    """As ``delete_secret``."""
    if not backend.store.registry.delete_secret(name):
        raise _missing(name)


def put_secret(backend: Backend, name: str, values: dict[str, str]) -> SecretRecord:
    """Keep values under a secret's name; its other values stay.

    Raises:
        KitaruUsageError: a name, key or value that cannot be kept.
        KitaruBackendError: the secret is there and the key for its other values is not.
    """
    _check(name, values)
    registry = backend.store.registry
    before = registry.secret(name)
    redactor.add(values.values())
    kept = {} if before is None else reveal(before)
    registry.put_secret(seal(name, {**kept, **values}, current_key()))
    return required(backend, name)


def required(backend: Backend, name: str) -> SecretRecord:
    """The record of a secret; raises ``KitaruStateError`` when there is none."""
    found = backend.store.registry.secret(name)
    if found is None:
        raise _missing(name)
    return found


def reveal(record: SecretRecord) -> dict[str, str]:
    """The values of a secret, redacted from now on."""
    values = unseal(record)
    redactor.add(values.values())
    return values


def know_all(backend: Backend) -> None:
    """Redact the values of all secrets whose key is here. Each is tried once; why one does not open is logged."""
    unknown = [r for r in backend.store.registry.secrets() if (r.name, r.token) not in _tried]
    if not unknown:
        return
    _tried.update((record.name, record.token) for record in unknown)
    try:
        held = {key.key_id for key in keys()}
        for record in unknown:
            if record.key_id in held:
                reveal(record)
    except (KitaruBackendError, KitaruUsageError) as error:
        logging.getLogger("kitaru").warning("kitaru: The values of secrets are not redacted here: %s", error)


def _missing(name: str) -> KitaruStateError:
    return KitaruStateError(
        f"There is no secret {name!r}. See `kitaru secrets list`; make it with `kitaru secrets set {name} --KEY=-`."
    )


def _check(name: str, values: dict[str, str]) -> None:
    if not _NAME.fullmatch(name):
        raise KitaruUsageError(
            f"A secret cannot be named {name!r}: take letters, digits and . _ - (at most 100), a letter or digit first."
        )
    if not values:
        raise KitaruUsageError(
            f"Secret {name!r} has no values. Write `kitaru secrets set {name} --KEY=value`."
        )
    for key, value in values.items():
        if not _KEY.fullmatch(key):
            raise KitaruUsageError(
                f"Secret {name!r}: {key!r} cannot be a key. Take letters, digits, _ and - (at most 100)."
            )
        _check_value(name, key, value)


def _check_value(name: str, key: str, value: object) -> None:
    if not isinstance(value, str):
        raise KitaruUsageError(
            f"Secret {name!r}: the value of {key} is no text but a {type(value).__name__}."
        )
    if len(value.strip()) < SHORTEST:
        raise KitaruUsageError(
            f"Secret {name!r}: the value of {key} has less than {SHORTEST} characters, too few to be kept out of logs "
            "and previews, where they would stand in other words. Keep it elsewhere, or take a longer one."
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise KitaruUsageError(f"Secret {name!r}: the value of {key} is not valid Unicode.") from error
