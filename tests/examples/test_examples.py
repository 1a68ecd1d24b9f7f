"""Every example, run as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import Python

EXAMPLES = Path(__file__).parents[2] / "examples"

EXPECTED = {
    "basics": ["NOTES ON DURABLE AGENTS", "completed"],
    "artifacts": [
        "Write about tea -> A text about tea",
        'topic input str "tea"',
        'topic input str "tea"',
        'draft output str "A text about tea"',
        'prompt prompt str "Write about tea"',
        'result output str "A text about tea"',
    ],
    "logging_metadata": [
        "{'team': 'research'}",
        "[{'usage': {'input_tokens': 12, 'output_tokens': 30}, 'model': 'small'}]",
    ],
    "configuration": ["counting durable", "7", "7", "counting durable", "7"],
    "fan_out": ["10285", "285"],
    "approval": [
        "waiting ['approve']",
        "refused: The answer to 'review' does not match its schema",
        "published with 5: clear, short",
    ],
    "replay": [
        "researching",
        "dry text from notes on tea",
        "warm text from notes on tea",
        "dry text from better notes",
    ],
    "manage": [
        "user_code ZeroDivisionError",
        "[('inverse', 'failed'), ('inverse', 'completed')]",
        "['risky#1']",
        "1",
    ],
    "children": ["durable"],
    "effects": ["refunding charge-7", "asking the bank", "receipt for charge-7", "1 refund in the books"],
    "agent_with_people": [
        "In which tone?",
        "May the agent call publish(text='A warm letter.')?",
        "It is published.",
        "[('writer', 1), ('writer', 1), ('writer', 1)]",
    ],
    "memory_notes": [
        "Where is my parcel? (I know 0 things)",
        "And my refund? (I know 1 things)",
        "it knew version 1 and left version 2",
    ],
    "testing_flows": ['26 deaths at 13 commits, always "published a text about tea"'],
}


def test_each_file_is_expected() -> None:
    assert {file.stem for file in EXAMPLES.glob("*.py")} - {"__init__"} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_says_what_it_should(python: Python, name: str) -> None:
    output = python.run(EXAMPLES / f"{name}.py").splitlines()
    assert [line for line in output if not line.startswith(("kitaru: ", "  kitaru "))] == EXPECTED[name]


def test_the_first_run_ends_as_promised(python: Python) -> None:
    root = EXAMPLES.parent
    process = python.start("-m", "examples.first_run", folder=root)
    assert process.succeed().splitlines()[-1] == "Killed, resumed, waited, answered, completed."
