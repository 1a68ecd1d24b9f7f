"""Checkpoints side by side: on threads in a sync flow, with asyncio in an async one."""

import asyncio

import kitaru


@kitaru.checkpoint
def fetch(page: int) -> int:
    """One page."""
    return page * page


@kitaru.checkpoint
async def fetch_async(page: int) -> int:
    """One page, awaited."""
    return page * page


@kitaru.flow
def sync_pages(pages: int) -> int:
    """``map`` gives a future for each item."""
    first = fetch.submit(100)
    return sum(future.result() for future in fetch.map(range(pages))) + first.result()


@kitaru.flow
async def async_pages(pages: int) -> int:
    """``asyncio.gather`` as ever."""
    return sum(await asyncio.gather(*(fetch_async(page) for page in range(pages))))


if __name__ == "__main__":
    print(sync_pages.run(10).wait())
    print(async_pages.run(10).wait())
