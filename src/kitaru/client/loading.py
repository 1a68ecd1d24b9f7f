"""Reads the value of an artifact when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

from kitaru.backend import Backend
from kitaru.errors import KitaruStateError
from kitaru.store.records import Payload


@dataclass(slots=True)
class Loader:
    """Loads one value. Lists read no bytes: they are fetched here, from where the value was kept.

    Attributes:
        call_id: the call whose output it is, or that saved it; None: the execution's result, or a flow's input.
        ordinal: its number among what the call saved.
    """

    backend: Backend
    exec_id: str
    call_id: str | None
    ordinal: int | None
    payload: Payload

    def __call__(self, *, plain: bool = False) -> Any:
        """The value; ``plain``: as plain data, without its classes.

        Raises:
            KitaruStateError: its execution was purged.
            KitaruBackendError: its bytes are gone or damaged.
        """
        payload = self._complete()
        return self.backend.vault.get_plain(payload) if plain else self.backend.vault.get(payload)

    def open(self) -> BinaryIO:
        """A value of bytes or text, to be read piece by piece.

        Raises:
            KitaruUsageError: it is something else.
            KitaruStateError: as above.
            KitaruBackendError: as above; for damaged bytes when their end is reached.
        """
        return self.backend.vault.open(self._complete())

    def _complete(self) -> Payload:
        payload = self.payload
        if payload.data is not None or payload.location != "inline":
            return payload
        found = self._found()
        if found is None:
            raise KitaruStateError(
                f"A value of execution {self.exec_id} ({payload.type}) is gone: the execution was purged."
            )
        return found

    def _found(self) -> Payload | None:
        store = self.backend.store
        if self.call_id is None:
            return store.execution(self.exec_id).result
        if self.ordinal is not None:
            return store.saved(self.exec_id, self.call_id, self.ordinal)
        return store.output(self.exec_id, self.call_id)


@dataclass(slots=True)
class Unstored:
    """Stands where a value was shown and not kept; ``why`` says so."""

    why: str

    def __call__(self, *, plain: bool = False) -> Any:
        """Raises ``KitaruStateError``."""
        raise KitaruStateError(self.why)

    def open(self) -> BinaryIO:
        """Raises ``KitaruStateError``."""
        raise KitaruStateError(self.why)
