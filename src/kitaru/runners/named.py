"""Finds a flow by the name that a person types."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from kitaru.errors import KitaruUsageError
from kitaru.flows import Flow
from kitaru.runners.entrypoint import Entrypoint, load_function


def find_flow(target: str) -> Flow[..., object]:
    """The flow that ``MODULE:FLOW`` or ``path/to/file.py:FLOW`` names; the working directory is on the path.

    It is loaded as for a resume: what the file starts at its top level is not started.

    Raises:
        KitaruUsageError: when the text names no flow.
        KitaruRuntimeError: when it cannot be loaded; the flows that there are, are listed.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise KitaruUsageError(
            f"{target!r} names no flow. Write MODULE:FLOW, for example agents.review:review."
        )
    script = place.endswith(".py")
    if script and not Path(place).is_file():
        raise KitaruUsageError(f"There is no file {place}.")
    path = str(Path(place).resolve()) if script else None
    folder = str(Path(path).parent) if path else str(Path.cwd())
    entry = Entrypoint(
        kind="script" if script else "module",
        module=None if script else place,
        script=path,
        qualname=name,
        python=sys.executable,
        cwd=str(Path.cwd()),
        sys_path=[folder, *sys.path],
        argv=[path or place],
        reason=None,
    )
    found = load_function(entry)
    if not isinstance(found, Flow):
        raise KitaruUsageError(f"{target} is not a flow: decorate it with @flow.")
    return cast("Flow[..., object]", found)
