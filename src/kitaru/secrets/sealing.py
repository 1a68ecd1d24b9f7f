"""A secret's values to an encrypted token and back: AES-256-GCM, bound to the secret's name."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from kitaru.errors import KitaruBackendError
from kitaru.secrets.keys import SOURCES, SecretKey, keys
from kitaru.store.registry_records import SecretRecord

_VERSION = "1."
_NONCE_BYTES = 12


def seal(name: str, values: dict[str, str], key: SecretKey) -> SecretRecord:
    """The record of a secret, its values encrypted."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key.data).encrypt(nonce, json.dumps(values).encode(), _bound(name))
    token = _VERSION + urlsafe_b64encode(nonce + sealed).decode()
    return SecretRecord(name, token, key.key_id, list(values))


def unseal(record: SecretRecord) -> dict[str, str]:
    """The values of a secret, by whichever key there is that it was encrypted with.

    Raises:
        KitaruBackendError: that key is not here, or the record was damaged or is another secret's.
        KitaruUsageError: a key that comes before it is not one.
    """
    tried: list[str] = []
    for key in keys():
        if key.key_id == record.key_id:
            return _opened(record, key)
        tried.append(f"{key.key_id} from {key.source}")
    raise KitaruBackendError(
        f"Secret {record.name!r} was encrypted with the key {record.key_id}, which is not here; found: "
        f"{', '.join(tried) or 'none'}. Keys come from {SOURCES}. Nothing is lost: bring that key back, or delete the "
        f"secret and set it again: `kitaru secrets delete {record.name}`."
    )


def _opened(record: SecretRecord, key: SecretKey) -> dict[str, str]:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        if not record.token.startswith(_VERSION):
            raise ValueError("unknown form")
        data = urlsafe_b64decode(record.token.removeprefix(_VERSION))
        opened = AESGCM(key.data).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound(record.name))
    except (InvalidTag, ValueError) as error:
        raise KitaruBackendError(
            f"Secret {record.name!r} does not open with its own key {key.key_id}: its record was changed, or belongs "
            f"to another secret. Restore it from a backup, or set it again after `kitaru secrets delete {record.name}`."
        ) from error
    return json.loads(opened)


def _bound(name: str) -> bytes:
    return b"kitaru-secret\0" + name.encode()
