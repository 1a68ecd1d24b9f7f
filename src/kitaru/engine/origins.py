"""Where values came from: what earlier calls gave, and what the flow was given, known again by their digests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any, cast

from kitaru.errors import KitaruUsageError
from kitaru.payloads import encode, type_name

SMALLEST = 64
"""Up to this many bytes equal values are too often equal by chance."""

ELEMENTS = 128
DEPTH = 8
NODES = 4096
ENCODED_BYTES = 4 << 20
EDGES = 64

_ATOMS = frozenset({str, bytes, int, float, complex, bool, type(None)})


class Origins:
    """The values of one execution that an argument may be, or hold.

    Attributes:
        calls: digest -> the first call with that output.
        inputs: digest -> the flow's input, as ``input:topic``.
        outputs: the calls whose values are that long.
        digests: call or flow's input -> its digest, of small values too.
    """

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.calls: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.outputs: set[str] = set()
        self._sizes: dict[str, tuple[int, int]] = {}
        self._smallest: float = float("inf")
        for parameter, form in inputs.items():
            if form.get("d"):
                source = f"input:{parameter}"
                self.digests[source] = form["d"]
                if form["n"] > SMALLEST:
                    self.inputs.setdefault(form["d"], source)
                    self._note(form["t"], form["n"])

    def add(self, call_id: str, digest: str, size: int, kind: str) -> None:
        """Know a call's output from now on; the first call that gave a value keeps it."""
        self.digests[call_id] = digest
        if size > SMALLEST:
            self.calls.setdefault(digest, call_id)
            self.outputs.add(call_id)
            self._note(kind, size)

    def _note(self, kind: str, size: int) -> None:
        low, high = self._sizes.get(kind, (size, size))
        self._sizes[kind] = min(low, size), max(high, size)
        self._smallest = min(self._smallest, size)

    def inside(self, value: Any, size: int) -> list[str]:
        """The calls and inputs whose values ``value`` holds, at most 64; ``size``: its encoded bytes.

        Of a long container the first and the last 64 elements are looked at.
        """
        if type(value) in _ATOMS or size <= self._smallest:
            return []
        found: dict[str, None] = {}
        budget = ENCODED_BYTES
        level: list[Any] = list(_elements(value))
        for _ in range(DEPTH):
            below: list[Any] = []
            for element in level:
                if self._may_be_known(element):
                    source, cost = self._look_up(element)
                    budget -= cost
                    if source is not None:
                        found[source] = None
                        if len(found) == EDGES:
                            return sorted(found)
                        continue
                    if budget < 0:
                        return sorted(found)
                if type(element) not in _ATOMS and len(below) < NODES:
                    below.extend(_elements(element))
            if not below:
                break
            level = below
        return sorted(found)

    def _may_be_known(self, element: Any) -> bool:
        """By type and length alone: what is encoded here was encoded once already, as a part of the argument."""
        kind = cast("type[Any]", type(element))
        sizes = self._sizes.get(type_name(kind))
        if sizes is None:
            return False
        if kind is str:
            # Two quotes, and at most six bytes a character (\u0000).
            return len(element) + 2 <= sizes[1] and len(element) * 6 + 2 >= sizes[0]
        if kind is bytes:
            return sizes[0] <= len(element) <= sizes[1]
        return kind not in (list, tuple, dict) or 2 * len(element) <= sizes[1]

    def _look_up(self, element: Any) -> tuple[str | None, int]:
        try:
            encoded = encode(element, allow_pickle=False)
        except KitaruUsageError:
            return None, 0
        return self.calls.get(encoded.digest) or self.inputs.get(encoded.digest), encoded.size


def _elements(value: Any) -> Iterable[Any]:
    """What a container, a dataclass or a pydantic model holds."""
    if isinstance(value, dict):
        return _ends(cast("dict[Any, Any]", value).values(), len(cast("dict[Any, Any]", value)))
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        return items if len(items) <= ELEMENTS else [*items[: ELEMENTS // 2], *items[-ELEMENTS // 2 :]]
    if isinstance(value, set | frozenset):
        # The order of a set is another one in the next process: it has no first elements.
        members = cast("set[Any]", value)
        return members if len(members) <= ELEMENTS else ()
    if is_dataclass(value):
        return [getattr(value, field.name, None) for field in fields(value)]
    if hasattr(value, "__pydantic_fields__"):
        named: dict[str, Any] = vars(cast("object", value))
        return _ends(named.values(), len(named))
    return ()


def _ends(values: Iterable[Any], count: int) -> Iterable[Any]:
    if count <= ELEMENTS:
        return values
    half = ELEMENTS // 2
    return [*islice(values, half), *islice(values, count - half, None)]
