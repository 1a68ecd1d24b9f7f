"""``kitaru secrets``, and the pages that show it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kitaru
from tests.support.processes import DEADLINE, Python

KITARU = str(Path(sys.executable).with_name("kitaru"))
PAGE = Path(__file__).parents[2] / "docs" / "secrets.md"


def test_what_is_set_is_listed_shown_and_deleted(python: Python) -> None:
    done = python.kitaru("secrets", "set", "mail", "--USER=robot", "--PASSWORD=correct = horse")
    assert (done.returncode, done.stdout) == (0, "USER\nPASSWORD\n"), done.stderr
    listed = python.kitaru("secrets", "list")
    assert "mail" in listed.stdout
    assert "USER, PASSWORD" in listed.stdout
    assert python.kitaru("secrets", "show", "mail").stdout == "USER\nPASSWORD\n"
    opened = python.kitaru("secrets", "show", "mail", "--show-values").stdout
    assert opened == "USER=robot\nPASSWORD=correct = horse\n"
    shown = json.loads(python.kitaru("secrets", "show", "mail", "--show-values", "-o", "json").stdout)
    assert shown["item"]["values"] == {"USER": "robot", "PASSWORD": "correct = horse"}
    for command in (["list"], ["show", "mail"]):
        assert "horse" not in python.kitaru("secrets", *command, "-o", "json").stdout
    assert python.kitaru("secrets", "delete", "mail", "--yes").stdout == "Removed mail\n"
    gone = python.kitaru("secrets", "show", "mail")
    assert (gone.returncode, "There is no secret 'mail'" in gone.stderr) == (1, True)
    assert "No secrets" in python.kitaru("secrets", "list").stdout


def test_a_value_may_come_from_stdin(python: Python) -> None:
    subprocess.run(
        [KITARU, "secrets", "set", "mail", "--PASSWORD=-", "--USER=robot"],
        input="two\nlines\n",
        text=True,
        env=python.environment,
        cwd=python.folder,
        timeout=DEADLINE,
        check=True,
    )
    assert kitaru.get_secret("mail") == {"PASSWORD": "two\nlines", "USER": "robot"}


def test_a_value_may_be_asked_for_and_is_not_shown(python: Python) -> None:
    master, slave = pty.openpty()
    asking = subprocess.Popen(
        [KITARU, "secrets", "set", "mail", "--PASSWORD"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=python.environment,
        cwd=python.folder,
        start_new_session=True,
    )
    os.close(slave)
    said = b""
    while b"PASSWORD: " not in said:
        said += os.read(master, 1024)
    os.write(master, b"correct horse\n")
    assert asking.wait(DEADLINE) == 0
    said += os.read(master, 4096)
    os.close(master)
    assert b"horse" not in said
    assert kitaru.get_secret("mail") == {"PASSWORD": "correct horse"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mail"], "has no values"),
        (["mail", "correct horse"], "write values as --KEY=value"),
        (["mail", "--PASSWORD", "correct horse"], "write values as --KEY=value"),
        (["mail", "--KEY=one value", "--KEY=correct horse"], "given twice"),
        (["mail", "--A=-", "--B=-"], "stdin has one value"),
        (["--PASSWORD", "correct horse", "mail"], "write values as --KEY=value"),
        (["mail", "--PASSWORD"], "no terminal to ask for PASSWORD"),
        (["mail", "--PASSWORD=abc"], "less than 4 characters"),
        (["mail", "--PASSWORD=-"], "less than 4 characters"),
        (["m/l", "--PASSWORD=correct horse"], "cannot be named"),
    ],
)
def test_what_is_wrong_is_told_without_the_value(python: Python, arguments: list[str], said: str) -> None:
    done = python.kitaru("secrets", "set", *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "horse" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_the_page_works_as_written(python: Python) -> None:
    text = PAGE.read_text()
    (flow,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (shell,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in shell.splitlines():
        command = line.partition("#")[0].strip()
        if command.endswith("ORG") or "delete" in command:
            continue  # these ask, which is tested above
        subprocess.run(
            command.replace("kitaru", KITARU, 1),
            shell=True,
            input="a value",
            text=True,
            env=python.environment,
            timeout=DEADLINE,
            check=True,
        )
    script = python.script(flow + "\nprint(asking.run('why?').wait())\n")
    assert "asked 'why?' with a key of 7 characters" in python.run(script)
