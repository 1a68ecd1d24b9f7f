"""What is kept for all executions."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from kitaru.models.base import Model


class ModelAlias(Model):
    """A name for a model.

    Attributes:
        model: ``provider/model``.
        secret: the name of the secret with the provider's key; None: from the environment.
        fallback: what is asked, in order, when it fails.
        base_url: where the provider's API is served; None: its own address.
    """

    alias: str
    model: str
    secret: str | None
    fallback: list[str]
    base_url: str | None
    is_default: bool
    created_at: datetime | None


class Secret(Model):
    """A secret.

    Attributes:
        keys: the names of its values.
        key_id: tells the key that it is encrypted with from others.
        values: by their keys; None unless they were asked for.
    """

    name: str
    keys: list[str]
    key_id: str
    created_at: datetime | None
    updated_at: datetime | None
    values: dict[str, str] | None = Field(default=None, repr=False)
