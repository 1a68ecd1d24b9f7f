"""The flows that are measured."""

from __future__ import annotations

import asyncio
import time

import kitaru


@kitaru.checkpoint
def step(number: int) -> dict[str, int]:
    """A small input and a small output."""
    return {"number": number}


@kitaru.checkpoint
async def async_step(number: int) -> dict[str, int]:
    """The same, async."""
    return {"number": number}


@kitaru.flow
def sequential(number: int) -> float:
    """Seconds a checkpoint, one after the other."""
    began = time.perf_counter()
    for index in range(number):
        step(index)
    return (time.perf_counter() - began) / number


@kitaru.flow
def mapped(number: int) -> float:
    """Seconds a checkpoint, by ``.map``."""
    began = time.perf_counter()
    for future in step.map(range(number)):
        future.result()
    return (time.perf_counter() - began) / number


@kitaru.flow
async def gathered(number: int) -> float:
    """Seconds a checkpoint, by ``asyncio.gather``."""
    began = time.perf_counter()
    await asyncio.gather(*(async_step(index) for index in range(number)))
    return (time.perf_counter() - began) / number
