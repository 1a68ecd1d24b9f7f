"""What all models share, and why something failed."""

from __future__ import annotations

from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen: what a client returned does not change."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def trusted(cls, fields: dict[str, Any], private: dict[str, Any] | None = None) -> Self:
        """An instance from values that are known to fit: all fields, and all private ones. Nothing is checked.

        A tenth of what validation costs, for thousands of records that the store has read.
        """
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", fields)
        object.__setattr__(made, "__pydantic_fields_set__", _all_fields(cls))
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", private)
        return made


@cache
def _all_fields(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


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
