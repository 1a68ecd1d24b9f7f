"""Flows that use everything there is, for tests that kill them."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import kitaru
from kitaru import aio


def ran(line: str) -> None:
    """Note outside the journal what really ran, in a file for each run."""
    folder = os.environ.get("SIDE")
    if folder:
        run = Path(os.environ["KITARU_CONFIG_PATH"])
        with (Path(folder) / f"{run.parent.name}-{run.name}.txt").open("a") as file:
            file.write(f"{line}\n")


def post(body: str) -> str:
    """Do an effect in the outside system, under this call's key."""
    here = kitaru.current()
    content = f"{here.exec_id} {body}".encode()
    headers = {"Idempotency-Key": here.idempotency_key}
    with urllib.request.urlopen(urllib.request.Request(os.environ["SINK"], content, headers)) as answer:
        json.load(answer)
    return f"done {body}"


def look_up(key: str) -> str | None:
    """What the outside system knows of a key."""
    try:
        with urllib.request.urlopen(f"{os.environ['SINK']}/{key}") as answer:
            receipt: str = json.load(answer)["receipt"]
            return receipt.replace(receipt.split()[1] + " ", "")
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None


@kitaru.checkpoint
def number(value: int) -> int:
    ran(f"number {value}")
    kitaru.save("seen", {"value": value})
    kitaru.log(value=value)
    return value


@kitaru.checkpoint(retries=2)
def flaky(value: int) -> int:
    ran(f"flaky {value}")
    if kitaru.current().attempt == 1:
        raise ValueError("the first attempt fails")
    return value


@kitaru.checkpoint(effect=True)
def refund(charge: str) -> str:
    ran(f"refund {charge}")
    return post(f"refund {charge}")


@kitaru.checkpoint(effect=True, on_unknown="retry")
def notify(charge: str) -> str:
    ran(f"notify {charge}")
    return post(f"notify {charge}")


@kitaru.checkpoint
async def fetch(value: int) -> int:
    ran(f"fetch {value}")
    await asyncio.sleep(0)
    return value * 2


@kitaru.checkpoint(effect=True, reconcile=look_up)
async def send(value: int) -> str:
    ran(f"send {value}")
    return await asyncio.to_thread(post, f"send {value}")


@kitaru.flow
def child(value: int) -> int:
    return number(value)


@kitaru.flow
def everything(charge: str) -> str:
    one = number(1)
    kitaru.log(stage="numbers")
    others = [future.result() for future in number.map([2, 3])]
    kitaru.now()
    kitaru.sleep(3600)
    retried = flaky(4)
    receipt = refund(charge)
    approved = kitaru.wait("approve", schema=bool)
    told = notify(charge)
    grown = child.run(5).wait()
    return json.dumps([one, *others, retried, receipt, approved, told, grown])


@kitaru.flow
async def everything_async(charge: str) -> str:
    pair = await asyncio.gather(fetch(1), fetch(2))
    await aio.sleep(3600)
    first, second = await asyncio.gather(aio.wait("first", schema=int), aio.wait("second", schema=int))
    receipts = await asyncio.gather(send(1), send(2))
    mapped = [future.result() for future in number.map([7, 8])]
    return json.dumps([pair, first, second, receipts, mapped, charge])


@kitaru.flow
def by_the_clock() -> float:
    """What a flow must not do: its result comes from outside a checkpoint."""
    import time

    number(1)
    return time.monotonic_ns()
