"""What a store keeps for all executions: model aliases and secrets."""

from __future__ import annotations

import json
from typing import Any

from kitaru.store.database import Database, Transaction
from kitaru.store.registry_records import ModelRecord, SecretRecord
from kitaru.store.rows import to_json

_MODELS = "SELECT alias, model, secret, fallback, base_url, is_default, created_at FROM models ORDER BY alias"
_NO_DEFAULT = "UPDATE models SET is_default = FALSE WHERE is_default"
_PUT_MODEL = (
    "INSERT INTO models (alias, model, secret, fallback, base_url, is_default, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, {now}) ON CONFLICT (alias) DO UPDATE SET model = excluded.model, "
    "secret = excluded.secret, fallback = excluded.fallback, base_url = excluded.base_url, "
    "is_default = excluded.is_default"
)
_DELETE_MODEL = "DELETE FROM models WHERE alias = ?"
_SECRETS = "SELECT name, token, key_id, keys, created_at, updated_at FROM secrets"
_PUT_SECRET = (
    "INSERT INTO secrets (name, token, key_id, keys, created_at, updated_at) VALUES (?, ?, ?, ?, {now}, {now}) "
    "ON CONFLICT (name) DO UPDATE SET token = excluded.token, key_id = excluded.key_id, keys = excluded.keys, "
    "updated_at = excluded.updated_at"
)
_DELETE_SECRET = "DELETE FROM secrets WHERE name = ?"


class SqlRegistry:
    """The registry on one database. What its methods promise is said in ``protocol.py``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def models(self) -> list[ModelRecord]:
        """See ``RegistryStore``."""
        return [_model(row) for row in self._rows(_MODELS)]

    def put_model(self, model: ModelRecord) -> None:
        """See ``RegistryStore``."""
        row = (
            model.alias,
            model.model,
            model.secret,
            to_json(model.fallback),
            model.base_url,
            model.is_default,
        )

        def put(tx: Transaction) -> None:
            if model.is_default:
                tx.run(_NO_DEFAULT)
            tx.run(_PUT_MODEL, row)

        self._database.write(put)

    def delete_model(self, alias: str) -> bool:
        """See ``RegistryStore``."""
        return self._database.write(lambda tx: tx.run(_DELETE_MODEL, (alias,)).rowcount > 0, repeatable=False)

    def secrets(self) -> list[SecretRecord]:
        """See ``RegistryStore``."""
        return [_secret(row) for row in self._rows(f"{_SECRETS} ORDER BY name")]

    def secret(self, name: str) -> SecretRecord | None:
        """See ``RegistryStore``."""
        rows = self._rows(f"{_SECRETS} WHERE name = ?", name)
        return _secret(rows[0]) if rows else None

    def put_secret(self, secret: SecretRecord) -> None:
        """See ``RegistryStore``."""
        row = (secret.name, secret.token, secret.key_id, to_json(secret.keys))
        self._database.write(lambda tx: tx.run(_PUT_SECRET, row))

    def delete_secret(self, name: str) -> bool:
        """See ``RegistryStore``."""
        return self._database.write(lambda tx: tx.run(_DELETE_SECRET, (name,)).rowcount > 0, repeatable=False)

    def _rows(self, statement: str, *parameters: object) -> list[Any]:
        return self._database.read(lambda tx: tx.run(statement, parameters).fetchall())


def _model(row: Any) -> ModelRecord:
    alias, model, secret, fallback, base_url, is_default, created_at = row
    return ModelRecord(
        alias, model, secret, json.loads(fallback or "[]"), base_url, bool(is_default), created_at
    )


def _secret(row: Any) -> SecretRecord:
    name, token, key_id, keys, created_at, updated_at = row
    return SecretRecord(name, token, key_id, json.loads(keys), created_at, updated_at)
