"""Long lists and dicts as Merkle trees, so that what grows by appends is stored once.

In the JSON text of a value, a list of more than 16 elements and 4 KiB is replaced by ``{"$": "tree", …}``,
and such a dict by ``{"$": "treedict", …}`` over its pairs. Elements of 256 bytes and more become parts of
their own, shorter ones stand in their leaf; leaves and inner nodes are parts too. Chunks are cut by position
from the front: an append changes the last leaf and the nodes above it, nothing else. Of a list of more than 4 KiB
that is too short for a tree, the elements of 1 KiB and more are parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kitaru.errors import KitaruBackendError, KitaruUsageError
from kitaru.payloads.encoded import PART_CODEC, Part, digest_of
from kitaru.payloads.jsontext import dumps, kind_of, loads

Fetch = Callable[[Sequence[str]], Mapping[str, bytes]]

FAN_OUT = 16
# Numbers are too small to fill a leaf: an embedding of 1,536 of them is six leaves, not 48.
NUMBERS_IN_LEAF = 256
SMALLEST_TREE = 4096
SMALLEST_PART = 256
SMALLEST_PART_OF_SHORT = 1024
_NUMBERS = frozenset({int, float, bool, type(None)})
_CONTAINERS = frozenset({list, dict})
_MARKS = (b'{"$":"#', b'{"$":"tree')


def split(struct: Any) -> tuple[bytes, tuple[Part, ...]]:
    """The JSON text of ``struct``, with its long lists and dicts cut out as parts."""
    parts: dict[str, Part] = {}
    return _text_of(struct, parts).encode(), tuple(parts.values())


def _text_of(struct: Any, parts: dict[str, Part]) -> str:
    kind = kind_of(struct)
    if kind is not list and kind is not dict:
        return dumps(struct)
    if not looks_long(struct):
        text = dumps(struct)
        if len(text) <= SMALLEST_TREE:
            return text
    if kind is list:
        return _list_text(struct, parts)
    return _dict_text(struct, parts)


def looks_long(struct: Any) -> bool:
    """A guess at what has parts, to save writing it as one text first: the result is the same either way."""
    kind = kind_of(struct)
    if kind is not list and kind is not dict:
        return False
    if len(struct) > FAN_OUT:
        return True
    for child in struct if kind is list else struct.values():
        if kind_of(child) in _CONTAINERS and len(child) > FAN_OUT:
            return True
    return False


def _list_text(struct: list[Any], parts: dict[str, Part]) -> str:
    if {kind_of(item) for item in struct} <= _NUMBERS:
        text = dumps(struct)
        if len(text) <= SMALLEST_TREE or len(struct) <= FAN_OUT:
            return text
        chunks = range(0, len(struct), NUMBERS_IN_LEAF)
        leaves = [dumps(struct[start : start + NUMBERS_IN_LEAF]) for start in chunks]
        return _tree_text("tree", len(struct), leaves, parts)
    texts = [_text_of(item, parts) for item in struct]
    if sum(map(len, texts)) > SMALLEST_TREE:
        if len(texts) > FAN_OUT:
            return _tree_text("tree", len(texts), _leaves(texts, parts), parts)
        texts = [_in_leaf(text, text.encode(), parts, SMALLEST_PART_OF_SHORT) for text in texts]
    return f"[{','.join(texts)}]"


def _dict_text(struct: dict[str, Any], parts: dict[str, Part]) -> str:
    texts = [(dumps(key), _text_of(item, parts)) for key, item in struct.items()]
    if len(texts) > FAN_OUT and sum(len(key) + len(text) for key, text in texts) > SMALLEST_TREE:
        pairs = [f"[{key},{text}]" for key, text in texts]
        return _tree_text("treedict", len(pairs), _leaves(pairs, parts), parts)
    return f"{{{','.join([f'{key}:{text}' for key, text in texts])}}}"


def _leaves(texts: list[str], parts: dict[str, Part]) -> list[str]:
    said = [_in_leaf(text, text.encode(), parts) for text in texts]
    return [f"[{','.join(said[start : start + FAN_OUT])}]" for start in range(0, len(said), FAN_OUT)]


def _in_leaf(text: str, data: bytes, parts: dict[str, Part], smallest: int = SMALLEST_PART) -> str:
    return text if len(data) < smallest else f'{{"$":"#{_add(data, parts)}"}}'


def _tree_text(tag: str, count: int, leaves: list[str], parts: dict[str, Part]) -> str:
    nodes = [_add(leaf.encode(), parts) for leaf in leaves]
    height = 1
    while len(nodes) > FAN_OUT:
        chunks = range(0, len(nodes), FAN_OUT)
        nodes = [_add(dumps(nodes[start : start + FAN_OUT]).encode(), parts) for start in chunks]
        height += 1
    return f'{{"$":"{tag}","n":{count},"h":{height},"v":{dumps(nodes)}}}'


def _add(data: bytes, parts: dict[str, Part]) -> str:
    digest = digest_of(PART_CODEC, data)
    parts[digest] = Part(digest, data)
    return digest


def join(data: bytes, fetch: Fetch | None) -> Any:
    """The struct that :func:`split` was given; ``fetch`` is asked once a level.

    Raises:
        KitaruUsageError: the value has parts, and there is no ``fetch``.
        KitaruBackendError: a part is missing or damaged.
    """
    root = loads(data)
    return _joined(root, _fetched(root, fetch))


def _fetched(root: Any, fetch: Fetch | None) -> dict[str, bytes]:
    """All parts below ``root``, level by level."""
    known: dict[str, bytes] = {}
    wanted: dict[tuple[str, int], None] = {}
    _find(root, wanted)
    while wanted:
        if fetch is None:
            raise KitaruUsageError("This value is stored in parts: decode needs fetch= to load them.")
        missing = list(dict.fromkeys(digest for digest, _ in wanted if digest not in known))
        found: Mapping[str, bytes] = fetch(missing) if missing else {}
        below: dict[tuple[str, int], None] = {}
        for digest in missing:
            if digest not in found:
                raise KitaruBackendError(
                    f"Part {digest} of a stored value is missing. Restore it from a backup."
                )
            known[digest] = found[digest]
        for digest, height in wanted:
            part = known[digest]
            if height > 1:
                below.update(dict.fromkeys((inner, height - 1) for inner in loads(part)))
            elif any(mark in part for mark in _MARKS):
                _find(loads(part), below)
        wanted = below
    return known


def _find(struct: Any, wanted: dict[tuple[str, int], None]) -> None:
    """Note the digests that ``struct`` refers to, with their height: 0 is an element, 1 a leaf."""
    kind = kind_of(struct)
    if kind is list:
        for item in struct:
            _find(item, wanted)
    elif kind is dict:
        tag = struct.get("$")
        if tag in ("tree", "treedict"):
            wanted.update(dict.fromkeys((digest, struct["h"]) for digest in struct["v"]))
        elif isinstance(tag, str) and tag.startswith("#"):
            wanted[tag[1:], 0] = None
        else:
            for item in struct.values():
                _find(item, wanted)


def _joined(struct: Any, known: dict[str, bytes]) -> Any:
    kind = kind_of(struct)
    if kind is list:
        return [_joined(item, known) for item in struct]
    if kind is not dict:
        return struct
    tag = struct.get("$")
    if tag == "tree" or tag == "treedict":
        items = [item for digest in struct["v"] for item in _under(digest, struct["h"], known)]
        return items if tag == "tree" else dict(items)
    if isinstance(tag, str) and tag.startswith("#"):
        return _part(tag[1:], known)
    return {key: _joined(item, known) for key, item in struct.items()}


def _part(digest: str, known: dict[str, bytes]) -> Any:
    # Parsed at every use, so that two equal elements do not come back as one object.
    part = known[digest]
    struct = loads(part)
    return _joined(struct, known) if any(mark in part for mark in _MARKS) else struct


def _under(digest: str, height: int, known: dict[str, bytes]) -> list[Any]:
    if height == 1:
        return _part(digest, known)
    return [item for inner in loads(known[digest]) for item in _under(inner, height - 1, known)]
