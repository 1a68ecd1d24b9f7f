"""Lineage over processes that die, and the hunt for a fault: found by lineage, fixed, and replayed."""

from __future__ import annotations

from tests.recovery.conftest import Stage
from tests.support.processes import wait_until

LINKED = """
@kitaru.checkpoint
def make(number):
    if number == 3:
        block_until("gate")
    ran(number)
    return f"made {number}"

@kitaru.checkpoint
def take(value, parts=()):
    return f"{value}"[:20]

@kitaru.flow
def linking():
    texts = []
    for number in range(5):
        texts.append(make(number))
    found = ""
    for text in texts:
        found = take(f"{found} {text}", [text, text[:1]])
    if found:
        take(found)
    return {"found": found + "!"}

if __name__ == "__main__":
    linking.run()
"""


def edges(stage: Stage, exec_id: str) -> set[tuple[str, str, str, bool]]:
    """The lineage of the result, without the execution's id."""
    found = stage.client.artifacts.lineage(f"{exec_id}//result")
    return {
        (edge.source.partition("/")[2], edge.target.partition("/")[2], edge.kind, edge.inferred)
        for edge in found.edges
    }


def completed(stage: Stage, exec_id: str) -> None:
    wait_until(lambda: stage.client.executions.get(exec_id).status.is_successful, "the flow to complete")


def test_a_resumed_execution_has_the_same_edges(both: Stage) -> None:
    process, killed = both.start(LINKED)
    wait_until(lambda: both.ran() == ["0", "1", "2"], "three calls")
    process.kill_group()
    both.open("gate")
    both.resume(killed)
    completed(both, killed)
    found = edges(both, killed)
    assert ("take#5/output", "/result", "derived", True) in found
    assert ("make#5/output", "take#5/input/value", "derived", True) in found
    process, whole = both.start(LINKED)
    process.wait()
    whole = both.client.executions.latest().exec_id
    assert whole != killed
    completed(both, whole)
    assert edges(both, whole) == found


STEP = """
@kitaru.checkpoint
def step_{number:02}(value):
    ran("{number}")
    return number_in(value) + {number}
"""
HUNTED = (
    """
def number_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    return sum(value) if isinstance(value, list) else int(value)
"""
    + "".join(STEP.format(number=number) for number in range(20))
    + """
@kitaru.flow
def hunted(seed):
    v00 = step_00(seed)
    v01 = step_01(seed * 2)
    v02 = step_02(v00 + 1)
    v03 = step_03([v01, v02])
    v04 = step_04(f"{v03}")
    v05 = step_05(str(v04)[:9])
    v06 = step_06(seed)
    v07 = step_07({"five": v05})
    v08 = step_08(v06)
    v09 = step_09(v07 + v08)
    v10 = step_10(v06 - 1)
    v11 = step_11(v10)
    v12 = step_12([v09])
    v13 = step_13(v12 if v12 > 0 else 0)
    v14 = step_14(v11)
    v15 = step_15(max(v13, 1))
    v16 = step_16(v14)
    v17 = step_17(f"{v15}")
    step_18(v16)
    return step_19([v17])

if __name__ == "__main__":
    hunted.run(1)
"""
)
FAULT = HUNTED.replace("number_in(value) + 7", "number_in(value) + 70")
ASIDE = {10, 11, 14, 16, 18}
REACHED = {7, 9, 12, 13, 15, 17, 19}


def outputs(stage: Stage, exec_id: str) -> dict[int, int]:
    """What each of the twenty gave."""
    calls = stage.client.executions.get(exec_id).checkpoints
    return {int(call.name.removeprefix("step_")): call.artifacts[0].load() for call in calls}


def above(stage: Stage, artifact_id: str) -> set[int]:
    """The steps that led to an artifact."""
    found = stage.client.artifacts.lineage(artifact_id).artifacts.values()
    return {int(ref.name.removeprefix("step_")) for ref in found if ref.name.startswith("step_")}


def test_a_fault_is_found_fixed_and_replayed(both: Stage) -> None:
    process, good = both.start(HUNTED)
    process.wait()
    completed(both, good)
    process, bad = both.start(FAULT)
    process.wait()
    bad = both.client.executions.latest().exec_id
    completed(both, bad)

    drawn = both.python.kitaru("artifacts", "lineage", f"{bad}//result").stdout
    assert {n for n in range(20) if f"step_{n:02}#1" in drawn} == set(range(20)) - ASIDE
    right, given = outputs(both, good), outputs(both, bad)
    wrong = {n for n in above(both, f"{bad}//result") if given[n] != right[n]}
    assert wrong == REACHED
    # What is wrong though all that it came from is right:
    assert [n for n in wrong if not above(both, f"{bad}/step_{n:02}#1/output") & wrong - {n}] == [7]

    both.side.unlink()
    both.write(HUNTED)
    done = both.python.kitaru("executions", "replay", bad, "--from", "changed")
    assert done.returncode == 0, done.stderr
    fixed = both.client.executions.latest().exec_id
    completed(both, fixed)
    assert {int(line) for line in both.ran()} == REACHED
    assert len(both.ran()) == len(REACHED)
    assert outputs(both, fixed) == right
    changed = {call.call_id: call.change for call in both.client.executions.diff(bad, fixed).calls}
    assert {call for call, change in changed.items() if change == "changed"} == {
        f"step_{n:02}#1" for n in REACHED
    }
    assert {change for change in changed.values() if change != "changed"} == {"reused"}
