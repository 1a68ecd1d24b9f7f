"""Values as tagged JSON: what JSON has no word for becomes ``{"$": tag, "v": …}``.

A dict of the user's own that has the key ``"$"`` is written as pairs, so a tag is never mistaken.
"""

from __future__ import annotations

import datetime as dt
from base64 import b64decode, b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from math import isfinite
from pathlib import Path, PurePosixPath, PureWindowsPath
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from pydantic_core import TzInfo

from kitaru.errors import KitaruBackendError
from kitaru.payloads.classes import UnsayableError, ref_of, resolve
from kitaru.payloads.jsontext import SCALARS, dumps, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = Any

# Python refuses decimal text of very long integers; hexadecimal has no limit.
_DECIMAL_BITS = 2000
_FACTORIES: dict[str, type] = {
    cls.__name__: cls for cls in (list, dict, set, tuple, str, int, float, bool, bytes, frozenset)
}
# Written as str(value), read as class(text). Nothing outside this list is ever called with recorded text.
_BY_TEXT = frozenset(
    {
        "uuid:UUID",
        "decimal:Decimal",
        "fractions:Fraction",
        "ipaddress:IPv4Address",
        "ipaddress:IPv6Address",
        "ipaddress:IPv4Network",
        "ipaddress:IPv6Network",
        "ipaddress:IPv4Interface",
        "ipaddress:IPv6Interface",
    }
)


def to_tagged(value: Any) -> Json:
    """``value`` as JSON with tags.

    Raises:
        UnsayableError: something in it cannot be said.
    """
    kind = kind_of(value)
    say = _SAY.get(kind)
    if say is not None:
        return say(value)
    ref = f"{kind.__module__}:{kind.__qualname__}"
    if ref in _BY_TEXT and ref_of(kind) == ref:
        return {"$": "text", "c": ref, "v": str(value)}
    from kitaru.payloads import classed  # with pydantic, which plain values do not need

    return classed.say(value, to_tagged)


def from_tagged(struct: Json) -> Any:
    """The value that :func:`to_tagged` was given, equal and of the same type.

    Raises:
        KitaruRuntimeError: a class that it needs is not importable here.
        KitaruBackendError: the tag is unknown.
    """
    kind = kind_of(struct)
    if kind is list:
        return [item if type(item) in SCALARS else from_tagged(item) for item in struct]
    if kind is not dict:
        return struct
    tag = struct.get("$")
    if tag is None:
        return {key: item if type(item) in SCALARS else from_tagged(item) for key, item in struct.items()}
    read = _READ.get(tag)
    if read is not None:
        return read(struct)
    from kitaru.payloads import classed

    if tag in classed.READ:
        return classed.READ[tag](struct, from_tagged)
    raise KitaruBackendError(
        f"A stored value has the unknown tag {tag!r}: it was written by a newer version. Upgrade kitaru."
    )


def _utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _say_str(value: str) -> Json:
    if value.isascii() or _utf8(value):
        return value
    return {"$": "str", "v": value.encode("unicode_escape").decode("ascii")}


def _say_int(value: int) -> Json:
    return value if value.bit_length() <= _DECIMAL_BITS else {"$": "int", "v": hex(value)}


def _say_float(value: float) -> Json:
    return value if isfinite(value) else {"$": "float", "v": repr(value)}


def _say_dict(value: dict[Any, Any]) -> Json:
    if "$" not in value and all(type(key) is str and (key.isascii() or _utf8(key)) for key in value):
        return {key: to_tagged(item) for key, item in value.items()}
    return {"$": "dict", "v": _pairs(value)}


def _pairs(value: dict[Any, Any]) -> list[Json]:
    return [[to_tagged(key), to_tagged(item)] for key, item in value.items()]


def _say_list(value: Iterable[Any]) -> list[Json]:
    return [to_tagged(item) for item in value]


def _say_set(value: Iterable[Any]) -> list[Json]:
    # By their text, so that the digest does not depend on the order in which this process iterates.
    return sorted(map(to_tagged, value), key=dumps)


def _say_defaultdict(value: defaultdict[Any, Any]) -> Json:
    factory: Any = value.default_factory
    name = getattr(factory, "__name__", None)
    if factory is not None and _FACTORIES.get(name or "") is not factory:
        raise UnsayableError(value, f"its default factory {factory!r} is none of {', '.join(_FACTORIES)}")
    return {"$": "defaultdict", "f": name, "v": _pairs(value)}


def _say_datetime(value: dt.datetime | dt.time) -> Json:
    tag = "datetime" if isinstance(value, dt.datetime) else "time"
    said: dict[str, Json] = {"$": tag, "v": value.replace(tzinfo=None, fold=0).isoformat()}
    if value.tzinfo is not None:
        said["tz"] = to_tagged(value.tzinfo)
    if value.fold:
        said["fold"] = 1
    return said


def _say_timedelta(value: dt.timedelta) -> Json:
    return {"$": "timedelta", "v": [value.days, value.seconds, value.microseconds]}


def _say_timezone(value: dt.timezone) -> Json:
    offset = value.utcoffset(None)
    said = {"$": "timezone", "v": to_tagged(offset)}
    if value.tzname(None) != dt.timezone(offset).tzname(None):
        said["name"] = to_tagged(value.tzname(None))
    return said


def _say_zoneinfo(value: ZoneInfo) -> Json:
    try:
        value.__reduce__()
    except PicklingError as error:
        raise UnsayableError(value, "it was read from a file, so its name may mean another zone") from error
    return {"$": "zoneinfo", "v": value.key}


def _say_offset(value: TzInfo) -> Json:
    offset = cast(dt.timedelta, value.utcoffset(None))
    return {"$": "offset", "v": int(offset.total_seconds())}


def _read_datetime(struct: Json) -> dt.datetime:
    zone = from_tagged(struct.get("tz"))
    return dt.datetime.fromisoformat(struct["v"]).replace(tzinfo=zone, fold=struct.get("fold", 0))


def _read_time(struct: Json) -> dt.time:
    zone = from_tagged(struct.get("tz"))
    return dt.time.fromisoformat(struct["v"]).replace(tzinfo=zone, fold=struct.get("fold", 0))


def _read_timezone(struct: Json) -> dt.timezone:
    offset = from_tagged(struct["v"])
    return dt.timezone(offset, from_tagged(struct["name"])) if "name" in struct else dt.timezone(offset)


def _read_text(struct: Json) -> Any:
    if struct["c"] not in _BY_TEXT:
        raise KitaruBackendError(f"A stored value names {struct['c']!r} where only plain values may stand.")
    return resolve(struct["c"])(struct["v"])


def _read_defaultdict(struct: Json) -> Any:
    factory: Any = struct["f"]
    if factory is not None:
        if factory not in _FACTORIES:
            raise KitaruBackendError(
                f"A stored value has the unknown default factory {factory!r}. Upgrade kitaru."
            )
        factory = _FACTORIES[factory]
    return defaultdict(factory, _read_pairs(struct))


def _read_pairs(struct: Json) -> Iterable[tuple[Any, Any]]:
    return ((from_tagged(key), from_tagged(item)) for key, item in struct["v"])


def _read_items(struct: Json) -> Iterable[Any]:
    return map(from_tagged, struct["v"])


def _tag(tag: str, say: Callable[[Any], Json]) -> Callable[[Any], Json]:
    return lambda value: {"$": tag, "v": say(value)}


_SAY: dict[type, Callable[[Any], Json]] = {
    str: _say_str,
    int: _say_int,
    float: _say_float,
    bool: lambda value: value,
    type(None): lambda value: value,
    list: _say_list,
    dict: _say_dict,
    tuple: _tag("tuple", _say_list),
    set: _tag("set", _say_set),
    frozenset: _tag("frozenset", _say_set),
    bytes: _tag("bytes", lambda value: b64encode(value).decode("ascii")),
    bytearray: _tag("bytearray", lambda value: b64encode(value).decode("ascii")),
    complex: _tag("complex", lambda value: [_say_float(value.real), _say_float(value.imag)]),
    range: _tag("range", lambda value: [_say_int(part) for part in (value.start, value.stop, value.step)]),
    OrderedDict: _tag("ordered", _pairs),
    Counter: _tag("counter", _pairs),
    defaultdict: _say_defaultdict,
    deque: lambda value: {"$": "deque", "n": value.maxlen, "v": _say_list(value)},
    dt.datetime: _say_datetime,
    dt.time: _say_datetime,
    dt.date: _tag("date", dt.date.isoformat),
    dt.timedelta: _say_timedelta,
    dt.timezone: _say_timezone,
    ZoneInfo: _say_zoneinfo,
    TzInfo: _say_offset,
    type(Path()): _tag("path", lambda value: _say_str(str(value))),
    PurePosixPath: _tag("posixpath", lambda value: _say_str(str(value))),
    PureWindowsPath: _tag("windowspath", lambda value: _say_str(str(value))),
}

_READ: dict[str, Callable[[Json], Any]] = {
    "str": lambda struct: struct["v"].encode("ascii").decode("unicode_escape"),
    "int": lambda struct: int(struct["v"], 16),
    "float": lambda struct: float(struct["v"]),
    "dict": lambda struct: dict(_read_pairs(struct)),
    "tuple": lambda struct: tuple(_read_items(struct)),
    "set": lambda struct: set(_read_items(struct)),
    "frozenset": lambda struct: frozenset(_read_items(struct)),
    "bytes": lambda struct: b64decode(struct["v"]),
    "bytearray": lambda struct: bytearray(b64decode(struct["v"])),
    "complex": lambda struct: complex(*_read_items(struct)),
    "range": lambda struct: range(*_read_items(struct)),
    "ordered": lambda struct: OrderedDict(_read_pairs(struct)),
    "counter": lambda struct: Counter(dict(_read_pairs(struct))),
    "defaultdict": _read_defaultdict,
    "deque": lambda struct: deque(_read_items(struct), maxlen=struct["n"]),
    "datetime": _read_datetime,
    "time": _read_time,
    "date": lambda struct: dt.date.fromisoformat(struct["v"]),
    "timedelta": lambda struct: dt.timedelta(*struct["v"]),
    "timezone": _read_timezone,
    "zoneinfo": lambda struct: ZoneInfo(struct["v"]),
    "offset": lambda struct: TzInfo(struct["v"]),
    "text": _read_text,
    "path": lambda struct: Path(from_tagged(struct["v"])),
    "posixpath": lambda struct: PurePosixPath(from_tagged(struct["v"])),
    "windowspath": lambda struct: PureWindowsPath(from_tagged(struct["v"])),
}
