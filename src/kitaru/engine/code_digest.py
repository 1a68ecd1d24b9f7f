"""A digest of a function's code and of everything in the project that it reaches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from kitaru.engine.code_values import attributes_of
from kitaru.engine.code_walk import Walk

__all__ = ["CodeDigest", "code_digest"]


@dataclass(frozen=True, slots=True)
class CodeDigest:
    """What a function's code is.

    Attributes:
        digest: equal for equal code, in every process of the same minor version of Python.
        resolved: whether everything that the code reaches could be told. Where it could not, the code counts as
            changed, whatever ``digest`` says.
    """

    digest: str
    resolved: bool


_known: WeakKeyDictionary[FunctionType, CodeDigest] = WeakKeyDictionary()


def code_digest(function: Callable[..., Any]) -> CodeDigest:
    """The digest of a function with all that it reaches in the project.

    That is the code without docstrings and line numbers, defaults, closure values, the functions, classes and constants
    of the project that it uses (and those that they use), and the versions of the distributions outside. State that
    is no constant, such as a client, a logger or a lock, counts by its type. Computed once for each function.

    Args:
        function: a function, a flow, a checkpoint, or any other callable.

    Example:
        >>> def step(x): return x + 1
        >>> code_digest(step) == code_digest(step), code_digest(step).resolved
        (True, True)
    """
    function = attributes_of(function).get("__kitaru_function__", function)
    if not isinstance(function, FunctionType):
        return _compute(function)
    found = _known.get(function)
    if found is None:
        found = _known.setdefault(function, _compute(function))
    return found


def _compute(function: Callable[..., Any]) -> CodeDigest:
    walk = Walk()
    try:
        digest = walk.digest(function)
    except RecursionError:  # a constant that is nested too deeply to be compared
        return CodeDigest("", resolved=False)
    return CodeDigest(digest, walk.resolved)
