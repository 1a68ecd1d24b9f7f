"""What is configured: settings, images, model aliases."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kitaru.settings import configure, setting

if TYPE_CHECKING:
    from kitaru.images import ImageSettings
    from kitaru.model_calls.registry import (
        ResolvedModelSelection,
        register_model_alias,
        resolve_model_selection,
    )

__all__ = [
    "ImageSettings",
    "ResolvedModelSelection",
    "configure",
    "register_model_alias",
    "resolve_model_selection",
    "setting",
]

# Imported when asked for: they bring pydantic along, which a flow may do without.
_HOME = {
    "ImageSettings": "kitaru.images",
    "ResolvedModelSelection": "kitaru.model_calls.registry",
    "register_model_alias": "kitaru.model_calls.registry",
    "resolve_model_selection": "kitaru.model_calls.registry",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'kitaru.config' has no attribute {name!r}")
    return getattr(import_module(home), name)
