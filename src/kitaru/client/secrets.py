"""``client.secrets``: names and keys; values only where they are asked for."""

from __future__ import annotations

import builtins

from kitaru.backend import Backend
from kitaru.client.mapping import moment
from kitaru.models import Secret
from kitaru.secrets import new_secret, put_secret, remove_secret, required, reveal
from kitaru.store.registry_records import SecretRecord


class Secrets:
    """Keeps, lists and removes secrets."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def create(self, name: str, values: dict[str, str]) -> Secret:
        """Keep a new secret.

        Raises:
            KitaruStateError: there is one of this name.
            KitaruUsageError: a name, key or value that cannot be kept.
        """
        return _secret(new_secret(self._backend, name, values))

    def set(self, name: str, values: dict[str, str]) -> Secret:
        """Keep values under a secret's name, new or not; its other values stay.

        Raises:
            KitaruUsageError: a name, key or value that cannot be kept.
            KitaruBackendError: the secret is there and the key that it was encrypted with is not.
        """
        return _secret(put_secret(self._backend, name, values))

    def list(self) -> builtins.list[Secret]:
        """All secrets by name, without their values."""
        return [_secret(record) for record in self._backend.store.registry.secrets()]

    def get(self, name: str, show_values: bool = False) -> Secret:
        """One secret.

        Args:
            name: its name.
            show_values: with its values, decrypted.

        Raises:
            KitaruStateError: there is none of this name.
            KitaruBackendError: the values are wanted and their key is not here.
        """
        record = required(self._backend, name)
        return _secret(record, reveal(record) if show_values else None)

    def delete(self, name: str) -> None:
        """Remove a secret.

        Raises:
            KitaruStateError: there is none of this name.
        """
        remove_secret(self._backend, name)


def _secret(record: SecretRecord, values: dict[str, str] | None = None) -> Secret:
    return Secret(
        name=record.name,
        keys=record.keys,
        key_id=record.key_id,
        created_at=moment(record.created_at),
        updated_at=moment(record.updated_at),
        values=values,
    )
