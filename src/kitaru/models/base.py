"""What all models share, and why something failed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen: what a client returned does not change."""

    model_config = ConfigDict(frozen=True)


class Failure(Model):
    """Why an execution, or an attempt, failed.

    Attributes:
        origin: where it was raised: ``user_code``, ``timeout``, ``divergence``, …
        type: the exception's class.
        message: its text.
        traceback: where it was raised, as text.
        calls: the failed calls in its chain of causes.
    """

    origin: str
    type: str
    message: str
    traceback: str | None = None
    calls: list[str] = []
