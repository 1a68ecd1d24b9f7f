"""The order in which an async flow hears of its calls is the same on a resume, whatever it does with its tasks."""

from __future__ import annotations

from tests.recovery.conftest import Stage

RACING = """
import random

@kitaru.checkpoint
async def racer(number):
    ran(f"racer {number}")
    await asyncio.sleep(random.random() / 20)
    return number

@kitaru.checkpoint
async def note(place):
    ran(f"note {place}")
    return place

@kitaru.checkpoint
def hold():
    ran("hold")
    block_until("gate")

async def lane(number):
    first = await racer(number)
    second = await racer(number + 100)
    return await note(f"{first}-{second}")

@kitaru.flow
async def racing():
    heard = []
    pending = {asyncio.create_task(lane(number)) for number in range(6)}
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        heard.append(sorted(task.result() for task in done))
        heard.append(await note(f"after {heard[-1]}"))
    for next_one in asyncio.as_completed([racer(number) for number in range(200, 206)]):
        heard.append(await next_one)
    hold()
    (HERE / "heard.txt").open("a").write(repr(heard) + "\\n")
    return heard

if __name__ == "__main__":
    racing.run()
"""


def test_a_race_has_the_same_winner_again(both: Stage) -> None:
    process, exec_id = both.start(RACING)
    both.kill_at(process, "hold")
    before = both.ran()
    both.open("gate")
    both.resume(exec_id)
    done = both.until(exec_id, "completed")
    assert both.ran() == [*before, "hold"], "nothing but the held call ran again"
    assert done.result is not None
    again = both.client.executions.replay(exec_id, from_="hold")
    replayed = both.until(again.exec_id, "completed")
    assert replayed.result is not None
    assert replayed.result.load() == done.result.load()
