"""What processes see of a key they all write has one order, and the checker would tell if it had none."""

from __future__ import annotations

import pytest

from tests.memory.linearizability import Operation, is_linearizable


def op(kind: str, argument: object, outcome: object, began: int, ended: int) -> Operation:
    return Operation(kind, argument, outcome, began, ended)


GOOD = [
    op("set", "a", 1, 0, 10),
    op("get", None, [1, "a"], 5, 6),
    op("get", None, [0, None], 2, 8),
    op("cas", (1, "b"), ["set", 2], 11, 14),
    op("cas", (1, "c"), ["conflict", 2], 12, 15),
]


def test_a_history_with_an_order() -> None:
    assert is_linearizable(GOOD)


@pytest.mark.parametrize(
    "wrong",
    [
        op("get", None, [1, "a"], 16, 17),  # an old value after a new one was acknowledged
        op("cas", (1, "d"), ["set", 2], 11, 20),  # two took the same version
        op("set", "e", 5, 16, 17),  # a gap
        op("get", None, [2, "c"], 16, 17),  # a value that was refused
        op("cas", (2, "f"), ["conflict", 3], 16, 17),  # lost to nobody
    ],
)
def test_histories_without_one(wrong: Operation) -> None:
    assert not is_linearizable([*GOOD, wrong])
