"""The last resort: cloudpickle, with the value's type readable in front so that a refusal can name it."""

from __future__ import annotations

import pickle
from importlib import import_module
from typing import Any

from kitaru.errors import KitaruRuntimeError, KitaruUsageError
from kitaru.payloads.classes import type_name
from kitaru.payloads.jsontext import kind_of

_INSTEAD = "Use a pydantic model or a dataclass defined at the top of a module"


def dump(value: Any, reason: str, *, allow_pickle: bool) -> bytes:
    """``value`` as its type's name, NUL, and a pickle. ``reason``: why no other codec took it.

    Raises:
        KitaruUsageError: pickle is switched off, or cannot say the value either.
    """
    name = type_name(kind_of(value))
    if not allow_pickle:
        raise KitaruUsageError(
            f"A value of type {name} can only be stored with pickle, which is switched off "
            f"(allow_pickle = false). The part that needs it is {reason}. {_INSTEAD}, or set allow_pickle = true."
        )
    cloudpickle: Any = import_module("cloudpickle")  # lazily, and it has no type stubs

    try:
        data: bytes = cloudpickle.dumps(value)
    except Exception as error:  # a user's own __reduce__ may raise anything
        raise KitaruUsageError(
            f"A value of type {name} cannot be stored. In it is {reason}; and pickle says {error!r}. "
            f"{_INSTEAD}, and keep connections, locks and clients out of arguments and results."
        ) from error
    return name.encode() + b"\0" + data


def load(data: bytes, *, allow_pickle: bool) -> Any:
    """The value that :func:`dump` wrote.

    Raises:
        KitaruUsageError: pickle is switched off; nothing of ``data`` was run.
        KitaruRuntimeError: the pickle does not load here.
    """
    head, _, pickled = data.partition(b"\0")
    name = head.decode(errors="backslashreplace")
    if not allow_pickle:
        raise KitaruUsageError(
            f"A recorded value of type {name} is a pickle, and pickle is switched off "
            f"(allow_pickle = false). {_INSTEAD}, or set allow_pickle = true where you trust whoever wrote the store."
        )
    try:
        return pickle.loads(pickled)
    except Exception as error:  # unpickling runs the user's own code, which may raise anything
        raise KitaruRuntimeError(
            f"A recorded value of type {name} does not load here: {error!r}. "
            f"Read it where the code that it belongs to can be imported."
        ) from error
