"""Thousands of objects that are made at once and all kept."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def one_burst() -> Generator[None]:
    """While this lasts the collector of cycles rests.

    It starts again and again as objects are made, looks through all that there are, and finds nothing to free: with the
    calls of a long execution that takes twice the time of everything else.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            # What was made counts as old at once: the first look at the young would go through all of it.
            gc.freeze()
            gc.unfreeze()
        gc.enable()
