"""What the store keeps for all executions, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ModelRecord:
    """A name for a model: ``provider/model``, the secret with its key, and what to ask when it fails, in order."""

    alias: str
    model: str
    secret: str | None = None
    fallback: list[str] = field(default_factory=list[str])
    base_url: str | None = None
    is_default: bool = False
    created_at: float | None = None


@dataclass(slots=True)
class SecretRecord:
    """A secret as it is kept: ``token`` is encrypted by the key that ``key_id`` names; ``keys`` are its names alone."""

    name: str
    token: str
    key_id: str
    keys: list[str]
    created_at: float | None = None
    updated_at: float | None = None
