"""Exceptions as recorded outcomes: described as JSON, and rebuilt as their own class where that is faithful.

An exception is rebuilt from its ``args`` and attributes without its own ``__init__``, which may want other
arguments. Whether that gives the same exception is tried when it is described, so that a rebuild surprises
nobody later.
"""

from __future__ import annotations

import traceback
from typing import Any, cast

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from kitaru.errors import KitaruUserCodeError
from kitaru.payloads.classes import (
    UnsayableError,
    check_attribute,
    is_static,
    loaded_only,
    ref_of,
    resolve,
    type_name,
)
from kitaru.payloads.jsontext import dumps, loads
from kitaru.payloads.tagged import from_tagged, to_tagged
from kitaru.redaction import redactor

_TRACEBACK_LIMIT = 32 * 1024
_CAUSES = 16
_NAMES = ("class", "type", "state", "group")
_REBUILDS = ("class", "type", "message", "state", "group")


def describe(exc: BaseException) -> dict[str, Any]:
    """``exc`` as plain JSON: its class, message, formatted traceback, causes, and what rebuilds it.

    Keys: ``class`` (``module:qualname``, or ``None`` where the class cannot be found by name), ``type`` (for
    people), ``message``, ``traceback`` (text, at most 32 KiB), ``causes`` (``[{"link", "type", "message"}]``,
    nearest first), ``state`` (``None`` where it cannot be rebuilt), and of an exception group ``group`` (its
    members, described). Known secrets are redacted, also in what rebuilds it.

    Example:
        >>> described = describe(KeyError("city"))
        >>> described["type"], described["message"], rebuild(described)
        ('KeyError', "'city'", KeyError('city'))
    """
    cls = type(exc)
    described: dict[str, Any] = {
        "class": _class_ref(cls),
        "type": type_name(cls),
        "message": _message(exc),
        "traceback": redactor.text(_storable("".join(traceback.format_exception(exc))))[-_TRACEBACK_LIMIT:],
        "causes": _causes(exc),
        "state": None,
    }
    members = _members(exc)
    if members is not None:
        described["group"] = [describe(member) for member in members]
    if described["class"] is not None and issubclass(cls, Exception):
        described["state"] = _faithful_state(exc, described)
    return _redacted(described) if redactor else described


def _redacted(described: dict[str, Any]) -> dict[str, Any]:
    """It is rebuilt as its own class all the same, where that says nothing of a secret either."""
    said = {key: held if key in _NAMES else redactor.anything(held) for key, held in described.items()}
    if described["state"] is None:
        return said
    said["state"] = dumps(redactor.anything(loads(described["state"])))
    back = _rebuilt(said)
    if back is None or redactor.text(_message(back)) != _message(back):
        said["state"] = None
    return said


def rebuildable(described: dict[str, Any]) -> bool:
    """Whether :func:`rebuild` gives the exception's own class here: the class is found, and all is kept."""
    return _rebuilt(described) is not None


def rebuild(described: dict[str, Any], *, allow_import: bool = True) -> BaseException:
    """The exception that was described: its own class where possible, else ``KitaruUserCodeError``.

    ``allow_import``: the module of its class may be imported.

    The stand-in's message is ``Type: message``. Neither has a traceback: the recorded one is text.
    """
    if allow_import:
        exc = _rebuilt(described)
    else:
        with loaded_only():
            exc = _rebuilt(described)
    if exc is None:
        return KitaruUserCodeError(f"{described['type']}: {described['message']}")
    return exc


def _members(exc: BaseException) -> tuple[BaseException, ...] | None:
    if not isinstance(exc, BaseExceptionGroup):
        return None
    return cast("BaseExceptionGroup[BaseException]", exc).exceptions


def _class_ref(cls: type) -> str | None:
    try:
        ref = ref_of(cls)
    except UnsayableError:
        return None
    return ref if isinstance(ref, str) else None


def _message(exc: BaseException) -> str:
    try:
        return _storable(str(exc))
    except Exception as error:  # a user's own __str__ may raise anything
        return f"<its __str__ raised {type(error).__name__}>"


def _storable(text: str) -> str:
    """``text`` as every database takes it: no lone surrogates, no NUL."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def _causes(exc: BaseException) -> list[dict[str, str]]:
    causes: list[dict[str, str]] = []
    seen = {id(exc)}
    current = exc
    while len(causes) < _CAUSES:
        cause = current.__cause__
        link = "cause"
        if cause is None and not current.__suppress_context__:
            cause, link = current.__context__, "context"
        if cause is None or id(cause) in seen:
            break
        seen.add(id(cause))
        causes.append({"link": link, "type": type_name(type(cause)), "message": _message(cause)})
        current = cause
    return causes


def _builtin_base(cls: type) -> Any:
    """The nearest ancestor that is written in C: it knows the state that is in no ``__dict__``."""
    return next(base for base in cls.__mro__ if is_static(base))


def _state_of(exc: BaseException) -> str | None:
    """The JSON text of what rebuilds ``exc``, ``None`` where there is none."""
    cls = type(exc)
    if isinstance(exc, ValidationError):
        args, attributes = _validation_args(exc), {}
    elif isinstance(exc, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", exc)
        args, attributes = (group.message,), dict(group.__dict__)
    else:
        if any(vars(base).get("__slots__") for base in cls.__mro__ if not is_static(base)):
            return None
        reduced = _builtin_base(cls).__reduce__(exc)
        args, attributes = reduced[1], dict(reduced[2] or {}) if len(reduced) > 2 else {}
    try:
        return dumps(to_tagged({"args": args, "attributes": attributes}))
    except (UnsayableError, ValueError, RecursionError):
        return None


def _validation_args(exc: ValidationError) -> tuple[Any, ...]:
    """What ``ValidationError.from_exception_data`` takes; what a validator raised is described."""
    title, errors, *rest = cast("tuple[Any, ...]", exc.__reduce__())[1]
    said: list[dict[str, Any]] = []
    for error in errors:
        line = {key: held for key, held in error.items() if key != "url"}
        custom = line["type"]
        if isinstance(custom, PydanticCustomError):
            line["type"], line["template"] = custom.type, custom.message_template
        raised = line.get("ctx", {}).get("error")
        if isinstance(raised, Exception):
            line["ctx"] = {key: held for key, held in line["ctx"].items() if key != "error"}
            inner = describe(raised)
            line["raised"] = {key: inner[key] for key in _REBUILDS if key in inner}
        said.append(line)
    return (title, said, *rest)


def _rebuilt_validation(title: str, errors: list[dict[str, Any]], *rest: Any) -> BaseException | None:
    lines: list[InitErrorDetails] = []
    for error in errors:
        context = dict(error.get("ctx", {}))
        if "raised" in error:
            context["error"] = _rebuilt(error["raised"])
            if context["error"] is None:
                return None
        kind = error["type"]
        if "template" in error:
            kind = PydanticCustomError(kind, error["template"], context or None)
        line = InitErrorDetails(type=kind, loc=error["loc"], input=error["input"])
        if context:
            line["ctx"] = context
        lines.append(line)
    return ValidationError.from_exception_data(title, lines, *rest)


def _faithful_state(exc: BaseException, described: dict[str, Any]) -> str | None:
    """The state, if what it rebuilds is of the same class, has the same state and says the same."""
    try:
        state = _state_of(exc)
        back = _rebuilt({**described, "state": state})
        same = back is not None and type(back) is type(exc) and _state_of(back) == state
        return state if same and _message(cast("BaseException", back)) == described["message"] else None
    except Exception:
        # A foreign class may raise anything when asked for its state; its failure is described nevertheless.
        return None


def _rebuilt(described: dict[str, Any]) -> BaseException | None:
    if described["class"] is None or described["state"] is None:
        return None
    try:
        return _made(described)
    except Exception:
        # The class is gone or takes its state no more: the stand-in says what it was.
        return None


def _made(described: dict[str, Any]) -> BaseException | None:
    cls = resolve(described["class"])
    if not issubclass(cls, Exception):
        return None
    state = from_tagged(loads(described["state"]))
    if issubclass(cls, ValidationError):
        return _rebuilt_validation(*state["args"])
    if issubclass(cls, BaseExceptionGroup):
        return _rebuilt_group(cls, described, state)
    base = _builtin_base(cls)
    exc = base.__new__(cls, *state["args"])
    base.__init__(exc, *state["args"])
    return _with_attributes(exc, base, state["attributes"])


def _with_attributes(exc: BaseException, base: type, attributes: dict[str, Any]) -> BaseException:
    for name, held in attributes.items():
        check_attribute(name)
        if name in exc.__dict__ or not hasattr(base, name):
            exc.__dict__[name] = held
        else:
            setattr(exc, name, held)
    return exc


def _rebuilt_group(cls: Any, described: dict[str, Any], state: dict[str, Any]) -> BaseException | None:
    members = [_rebuilt(member) for member in described["group"]]
    if any(member is None for member in members):
        return None
    exc = BaseExceptionGroup.__new__(cls, state["args"][0], cast("list[BaseException]", members))
    return _with_attributes(exc, BaseExceptionGroup, state["attributes"])
