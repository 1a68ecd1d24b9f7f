"""Values to bytes and back, the storage of large ones, and exceptions as recorded outcomes."""

from __future__ import annotations

from kitaru.payloads.classes import type_name
from kitaru.payloads.codec import BYTES_MEDIA_TYPE, decode, decode_plain, encode, immutable, is_opaque
from kitaru.payloads.encoded import PART_CODEC, Encoded, Part, digest_of
from kitaru.payloads.exceptions import describe, rebuild, rebuildable
from kitaru.payloads.objects import ObjectStorage, open_object_storage
from kitaru.payloads.previews import of_bytes, preview_of

__all__ = [
    "BYTES_MEDIA_TYPE",
    "PART_CODEC",
    "Encoded",
    "ObjectStorage",
    "Part",
    "decode",
    "decode_plain",
    "describe",
    "digest_of",
    "encode",
    "immutable",
    "is_opaque",
    "of_bytes",
    "open_object_storage",
    "preview_of",
    "rebuild",
    "rebuildable",
    "type_name",
]
