"""``client.models``: names for models."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from kitaru.backend import Backend
from kitaru.client.mapping import moment
from kitaru.errors import KitaruStateError
from kitaru.model_calls.registry import register_model_alias
from kitaru.models import ModelAlias
from kitaru.store.registry_records import ModelRecord


class Models:
    """Registers aliases of models."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def register(
        self,
        alias: str,
        model: str,
        secret: str | None = None,
        fallback: Iterable[str] = (),
        base_url: str | None = None,
        default: bool = False,
    ) -> ModelAlias:
        """Give a model a name; see ``kitaru.config.register_model_alias``.

        Raises:
            KitaruUsageError: for an alias or a model that cannot be.
        """
        register_model_alias(
            alias, model=model, secret=secret, fallback=fallback, base_url=base_url, default=default
        )
        return self.get(alias)

    def list(self) -> builtins.list[ModelAlias]:
        """All aliases, by name."""
        return [_model(record) for record in self._backend.store.registry.models()]

    def get(self, alias: str) -> ModelAlias:
        """One alias.

        Raises:
            KitaruStateError: when there is none of that name.
        """
        for found in self.list():
            if found.alias == alias:
                return found
        raise _unknown(alias)

    def delete(self, alias: str) -> None:
        """Take a name back. Executions that have asked it keep what it stood for.

        Raises:
            KitaruStateError: when there is none of that name.
        """
        if not self._backend.store.registry.delete_model(alias):
            raise _unknown(alias)


def _unknown(alias: str) -> KitaruStateError:
    return KitaruStateError(f"There is no model alias {alias!r}. See `kitaru model list`.")


def _model(record: ModelRecord) -> ModelAlias:
    return ModelAlias(
        alias=record.alias,
        model=record.model,
        secret=record.secret,
        fallback=record.fallback,
        base_url=record.base_url,
        is_default=record.is_default,
        created_at=moment(record.created_at),
    )
