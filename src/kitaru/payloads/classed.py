"""Instances of people's own classes as tagged JSON: by fields, without running their constructors.

Each kind has a writer, chosen in :func:`say`, and a reader in ``READ``. A reader accepts only a class of
its own kind, so that recorded data can never make this module call anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum, Flag
from functools import cached_property
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic_core import PydanticUndefined

from kitaru.errors import KitaruBackendError, KitaruRuntimeError
from kitaru.payloads import arrow
from kitaru.payloads.classes import UnsayableError, check_attribute, ref_of, resolve, type_name
from kitaru.payloads.jsontext import kind_of

Json = Any
Say = Callable[[Any], Json]
Read = Callable[[Json], Any]


def say(value: Any, say_inner: Say) -> Json:
    """``value`` as JSON with a tag; ``say_inner`` writes what it holds.

    Raises:
        UnsayableError: there is no faithful way to write it.
    """
    if isinstance(value, Enum):
        return _say_enum(value)
    if isinstance(value, BaseModel):
        return _say_model(value, say_inner)
    if isinstance(value, type):
        return {"$": "class", "v": ref_of(value)}
    kind = kind_of(value)
    if kind is SecretStr or kind is SecretBytes:
        return {"$": "secret", "c": ref_of(kind), "v": say_inner(value.get_secret_value())}
    if is_dataclass(value):
        return _say_dataclass(value, say_inner)
    if arrow.handles(kind):
        return arrow.say(value)
    for base in _BASES:
        if isinstance(value, base):
            return _say_derived(value, base, say_inner)
    if kind.__module__.startswith("pydantic.networks") and hasattr(value, "unicode_string"):
        return {"$": "url", "c": ref_of(kind), "v": str(value)}
    raise UnsayableError(value, "it is neither plain data nor a pydantic model nor a dataclass")


def _say_enum(value: Enum) -> Json:
    cls = type(value)
    if isinstance(value, Flag):
        if cls(value.value) is not value:
            raise UnsayableError(value, "it is not what its own class makes of its value")
        return {"$": "flag", "c": ref_of(cls), "v": value.value}
    if cls.__members__.get(value.name) is not value:
        raise UnsayableError(value, "it is no named member of its own class")
    return {"$": "enum", "c": ref_of(cls), "v": value.name}


def _refuse_foreign(value: Any, make: Any) -> None:
    """Refuse a class with an ancestor written in C, other than ``make``'s: its state cannot be seen from here."""
    try:
        # Python itself refuses to make an instance by way of the wrong ancestor.
        make(kind_of(value))
    except TypeError as error:
        raise UnsayableError(value, f"it mixes in a built-in type ({error})") from error


def _say_model(value: BaseModel, say_inner: Say) -> Json:
    cls = type(value)
    _refuse_foreign(value, object.__new__)
    known = cls.__pydantic_fields__
    state = value.__dict__
    for name in state:
        if name not in known and not isinstance(getattr(cls, name, None), cached_property):
            raise UnsayableError(value, f"its attribute {name!r} is no field")
    said = {
        "$": "model",
        "c": ref_of(cls),
        "v": {name: say_inner(state[name]) for name in known if name in state},
    }
    if value.__pydantic_extra__:
        said["x"] = say_inner(value.__pydantic_extra__)
    if value.__pydantic_fields_set__ != state.keys() & known.keys():
        said["s"] = sorted(value.__pydantic_fields_set__)
    private = value.__pydantic_private__
    if private is not None:
        said["p"] = say_inner({k: held for k, held in private.items() if held is not PydanticUndefined})
    return said


def _read_model(struct: Json, read_inner: Read) -> BaseModel:
    cls = _class_of(struct, BaseModel)
    state = {name: read_inner(said) for name, said in struct["v"].items() if name in cls.__pydantic_fields__}
    set_fields = set(struct["s"]) if "s" in struct else set(state)
    for name, field in cls.__pydantic_fields__.items():
        # A field that the class got after the value was recorded takes its default.
        if name not in state and not field.is_required():
            state[name] = field.get_default(call_default_factory=True, validated_data=state)
    extra = read_inner(struct["x"]) if "x" in struct else None
    if extra is None and cls.model_config.get("extra") == "allow":
        extra = {}
    made = cls.__new__(cls)
    BaseModel.__setstate__(
        made,
        {
            "__dict__": state,
            "__pydantic_extra__": extra,
            "__pydantic_fields_set__": set_fields,
            "__pydantic_private__": read_inner(struct["p"]) if "p" in struct else None,
        },
    )
    return made


def _say_dataclass(value: Any, say_inner: Say) -> Json:
    cls = kind_of(value)
    _refuse_foreign(value, object.__new__)
    names = {field.name for field in fields(value)}
    _refuse_slots(value, cls, allowed=names)
    said: dict[str, Json] = {
        "$": "dataclass",
        "c": ref_of(cls),
        "v": {
            field.name: say_inner(getattr(value, field.name))
            for field in fields(value)
            if hasattr(value, field.name)
        },
    }
    others = {name: held for name, held in _attributes(value).items() if name not in names}
    if others:
        said["x"] = say_inner(others)
    return said


def _read_dataclass(struct: Json, read_inner: Read) -> Any:
    cls: Any = _class_of(struct, object)
    if not hasattr(cls, "__dataclass_fields__"):
        raise KitaruBackendError(
            f"A stored value says that {type_name(cls)} is a dataclass, which it is not."
        )
    made = object.__new__(cls)
    for field in fields(cls):
        if field.name in struct["v"]:
            object.__setattr__(made, field.name, read_inner(struct["v"][field.name]))
        elif field.default is not MISSING:
            object.__setattr__(made, field.name, field.default)
        elif field.default_factory is not MISSING:
            object.__setattr__(made, field.name, field.default_factory())
    for name, said in read_inner(struct.get("x", {})).items():
        check_attribute(name)
        object.__setattr__(made, name, said)
    return made


def _attributes(value: Any) -> dict[str, Any]:
    """What an instance holds in its ``__dict__``, less what it computes again when asked."""
    cls = kind_of(value)
    return {
        name: held
        for name, held in getattr(value, "__dict__", {}).items()
        if name != "__orig_class__" and not isinstance(getattr(cls, name, None), cached_property)
    }


def _refuse_slots(value: Any, cls: type, *, allowed: set[str]) -> None:
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        names = {slots} if isinstance(slots, str) else set(slots)
        if names - allowed - {"__weakref__", "__dict__"}:
            raise UnsayableError(value, f"it keeps state in the __slots__ of {type_name(base)}")


_PICKLING = ("__reduce_ex__", "__reduce__", "__getstate__", "__setstate__", "__getnewargs_ex__")


def _say_derived(value: Any, base: Any, say_inner: Say) -> Json:
    """An instance of a subclass of a built-in type: the built-in's content, and the attributes."""
    cls = kind_of(value)
    own = (*_PICKLING, "__getnewargs__") if not hasattr(cls, "_fields") else _PICKLING
    if any(getattr(cls, name, None) is not getattr(base, name, None) for name in own):
        raise UnsayableError(value, "it has its own way of being pickled")
    _refuse_foreign(value, base.__new__)
    _refuse_slots(value, cls, allowed=set())
    said = {"$": "derived", "c": ref_of(cls), "b": base.__name__, "v": say_inner(_content(value, base))}
    attributes = _attributes(value)
    if attributes:
        said["x"] = say_inner(attributes)
    return said


def _content(value: Any, base: Any) -> Any:
    # The base's own methods: what a subclass makes of iteration or str() must not change what is stored.
    if base in _ITERABLES:
        return base(base.__iter__(value))
    return _EXACT[base](value)


_ITERABLES: tuple[Any, ...] = (list, tuple, set, frozenset)
_EXACT: dict[Any, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    complex: complex.__complex__,
    bytes: bytes.__bytes__,
    bytearray: lambda value: bytearray(memoryview(value)),
    dict: lambda value: dict(dict[Any, Any].items(value)),
}
_BASES: tuple[Any, ...] = (*_EXACT, *_ITERABLES)
_FILL: dict[Any, str] = {list: "extend", dict: "update", set: "update", bytearray: "extend"}


def _read_derived(struct: Json, read_inner: Read) -> Any:
    base = next((base for base in _BASES if base.__name__ == struct["b"]), None)
    if base is None:
        raise KitaruBackendError(f"A stored value derives from the unknown type {struct['b']!r}.")
    cls = _class_of(struct, base)
    content = read_inner(struct["v"])
    if base in _FILL:
        made = base.__new__(cls)
        getattr(base, _FILL[base])(made, content)
    else:
        made = base.__new__(cls, content)
    for name, held in read_inner(struct.get("x", {})).items():
        check_attribute(name)
        object.__setattr__(made, name, held)
    return made


def _class_of(struct: Json, base: type) -> Any:
    cls = resolve(struct["c"])
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise KitaruBackendError(
            f"A stored value says that {struct['c']!r} is a {type_name(base)}, which it is not any more."
        )
    return cls


def _read_url(struct: Json, read_inner: Read) -> Any:
    cls = _class_of(struct, object)
    if not cls.__module__.startswith("pydantic.networks"):
        raise KitaruBackendError(f"A stored value says that {type_name(cls)} is a URL, which it is not.")
    return cls(struct["v"])


def _read_enum(struct: Json, read_inner: Read) -> Enum:
    cls = _class_of(struct, Enum)
    if struct["v"] not in cls.__members__:
        raise KitaruRuntimeError(
            f"A recorded value needs {type_name(cls)}.{struct['v']}, which the class does not have any more. "
            f"Bring the member back, or replay from the call that made the value."
        )
    return cls.__members__[struct["v"]]


def _read_secret(struct: Json, read_inner: Read) -> Any:
    cls = resolve(struct["c"])
    if cls is not SecretStr and cls is not SecretBytes:
        raise KitaruBackendError(f"A stored value says that {struct['c']!r} is a secret, which it is not.")
    return cls(read_inner(struct["v"]))


READ: dict[str, Callable[[Json, Read], Any]] = {
    "enum": _read_enum,
    "flag": lambda struct, read_inner: _class_of(struct, Flag)(struct["v"]),
    "model": _read_model,
    "class": lambda struct, read_inner: resolve(struct["v"]),
    "secret": _read_secret,
    "dataclass": _read_dataclass,
    "derived": _read_derived,
    "url": _read_url,
    "arrow": lambda struct, read_inner: arrow.read(struct),
    "numpy": lambda struct, read_inner: arrow.read_scalar(struct),
}
