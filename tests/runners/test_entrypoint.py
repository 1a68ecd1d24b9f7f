from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kitaru.errors import KitaruRuntimeError
from kitaru.runners.entrypoint import Entrypoint, describe_entrypoint, load_function, loading

# What a flow looks like to a loader: an object around a function, with handles that must not block a load.
FLOWLIKE = """
import functools, json, os
from kitaru.runners.entrypoint import LoadEnded, describe_entrypoint, loading

class Handle:
    def wait(self):
        if loading():
            raise LoadEnded
        return "done"

class flow:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.__kitaru_function__ = function

    def run(self, *args):
        if not loading():
            with open(os.environ["STARTED"], "a") as file:
                print(json.dumps(describe_entrypoint(self).to_json()), file=file)
        return Handle()
"""

LOAD = """
import json, sys
from kitaru.errors import KitaruRuntimeError
from kitaru.runners.entrypoint import Entrypoint, describe_entrypoint, load_function
entrypoint = Entrypoint.from_json(json.loads(sys.argv[1]))
try:
    found = load_function(entrypoint)
except KitaruRuntimeError as error:
    print(f"{type(error.__cause__).__name__}: {error}", file=sys.stderr)
    sys.exit(3)
print(json.dumps(found.__kitaru_function__()))
print(json.dumps(describe_entrypoint(found).to_json()))
"""


class App:
    """A folder with a user's program: what it starts is recorded, and loaded again in a process elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "app"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.started = folder / "started"
        self.write("flowlike.py", FLOWLIKE)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def python(self, *argv: str, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "STARTED": str(self.started),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            [sys.executable, *argv],
            cwd=cwd or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def start(self, *argv: str, **options: Any) -> Entrypoint:
        """Run a program and return the entry point of the one flow that it starts."""
        self.started.unlink(missing_ok=True)
        ran = self.python(*argv, **options)
        assert self.started.exists(), ran.stderr
        [line] = self.started.read_text().splitlines()
        return Entrypoint.from_json(json.loads(line))

    def load(self, entrypoint: Entrypoint) -> Any:
        """What the flow's function returns in another process, which starts and prints nothing else."""
        before = self.started.read_text()
        ran = self.python("-c", LOAD, json.dumps(entrypoint.to_json()), cwd=self.elsewhere)
        assert ran.returncode == 0, ran.stderr
        returned, again = ran.stdout.splitlines()
        assert self.started.read_text() == before
        described = Entrypoint.from_json(json.loads(again))
        assert described.kind == entrypoint.kind
        assert described.module == entrypoint.module
        assert (described.script, described.argv) == (entrypoint.script, entrypoint.argv)
        return json.loads(returned)

    def refusal(self, entrypoint: Entrypoint) -> str:
        """The error of a load that fails, behind the name of its cause."""
        ran = self.python("-c", LOAD, json.dumps(entrypoint.to_json()), cwd=self.elsewhere)
        assert ran.returncode == 3, ran.stderr
        assert "kitaru executions resume" in ran.stderr
        return ran.stderr


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


SCRIPT = """
import os, sys
from dataclasses import dataclass
from os.path import *
from beside import HERE
from flowlike import flow, loading

@dataclass
class Item:
    name: str = "a"

names = [Item(name).name for name in "ab"]

@flow
def review():
    from kitaru.payloads import decode, encode
    item = Item()
    return {
        "argv": sys.argv[1:],
        "cwd": os.getcwd(),
        "file": os.path.basename(__file__),
        "path": sys.path[0],
        "beside": HERE,
        "after": after(),
        "names": names,
        "class": Item.__module__,
        "same": decode("json", encode(item).data) == item,
        "main": sys.modules["__main__"].Item is Item,
    }

START

def after():
    return basename("x/after")
"""

EXPECTED = {
    "argv": ["one", "--two"],
    "file": "script.py",
    "beside": "beside",
    "after": "after",
    "names": ["a", "b"],
    "class": "__main__",
    "same": True,
    "main": True,
}

GUARDED = 'if __name__ == "__main__":\n    review.run().wait()'
UNGUARDED = "handle = review.run()"
# Python takes the script's __file__ away before it waits for what still runs.
AFTER_THE_END = "if not loading():\n    import atexit\n    atexit.register(review.run)"


@pytest.mark.parametrize("start", [GUARDED, UNGUARDED, AFTER_THE_END])
def test_a_script_is_loaded_again_without_running_it(app: App, start: str) -> None:
    script = app.write("sub/script.py", SCRIPT.replace("START", start))
    app.write("sub/flowlike.py", FLOWLIKE)
    app.write("sub/beside.py", 'HERE = "beside"')
    # A module of the same name in the working directory is not the script's.
    app.write("beside.py", 'HERE = "elsewhere"')
    entrypoint = app.start("sub/script.py", "one", "--two")
    assert (entrypoint.kind, entrypoint.script, entrypoint.qualname) == ("script", str(script), "review")
    assert (entrypoint.python, entrypoint.cwd) == (sys.executable, str(app.folder))
    found = app.load(entrypoint)
    assert found == EXPECTED | {"cwd": str(app.folder), "path": str(script.parent)}


@pytest.mark.parametrize(
    "rest",
    [
        "print(review.run().wait())\nraise RuntimeError('never reached')",
        "async def main():\n    return review.run().wait()\nimport asyncio\nasyncio.run(main())",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor() as pool:\n    list(pool.map(lambda _: review.run().wait(), [1]))",
        "import sys\nreview.run()\nsys.exit('ended')",
        "try:\n    review.run().wait()\nexcept Exception:\n    print('swallowed')",
    ],
)
def test_top_level_code_that_waits_or_exits_ends_the_load(app: App, rest: str) -> None:
    app.write("script.py", f"from flowlike import flow\n@flow\ndef review(): return 1\n{rest}\n")
    assert app.load(app.start("script.py")) == 1


def test_a_script_reads_its_command_line_again(app: App) -> None:
    app.write(
        "script.py",
        "import argparse\nfrom flowlike import flow\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--name', required=True)\nargs = parser.parse_args()\n"
        "@flow\ndef review(): return args.name\nreview.run()\n",
    )
    assert app.load(app.start("script.py", "--name", "x")) == "x"


DIGESTED = """
from dataclasses import dataclass
from pathlib import Path
from flowlike import flow, loading
from kitaru.engine.code_digest import code_digest

FILE = Path("digest")
NAME = __file__

@dataclass
class Item:
    name: str = "a"

ITEMS = [Item("b")]

@flow
def review():
    return [Item(), ITEMS, NAME, __name__] and FILE.read_text() == str(code_digest(review))

if not loading():
    FILE.write_text(str(code_digest(review)))
review.run().wait()
"""


def test_a_loaded_script_has_the_code_digest_that_it_started_with(app: App) -> None:
    app.write("script.py", DIGESTED)
    assert app.load(app.start("script.py")) is True
    assert "resolved=True" in (app.folder / "digest").read_text()


def test_python_m_is_loaded_as_the_module_that_it_was(app: App) -> None:
    app.write("pkg/__init__.py", "")
    app.write("pkg/beside.py", "HERE = 'beside'")
    text = (
        "from flowlike import flow\nfrom .beside import HERE\nclass Item: pass\n"
        "@flow\ndef review(): return [HERE, Item.__module__, __name__]\n"
        "if __name__ == '__main__':\n    review.run()\n"
    )
    app.write("pkg/mod.py", text)
    app.write("pkg/__main__.py", text)
    for name, module in (("pkg.mod", "pkg.mod"), ("pkg", "pkg.__main__")):
        entrypoint = app.start("-m", name)
        assert (entrypoint.kind, entrypoint.module) == ("module", module)
        assert app.load(entrypoint) == ["beside", "__main__", "__main__"]


def test_a_folder_that_is_run_is_a_script(app: App) -> None:
    app.write(
        "folder/__main__.py", "from flowlike import flow\n@flow\ndef review(): return 1\nreview.run().wait()"
    )
    (app.folder / "flowlike.py").rename(app.folder / "folder" / "flowlike.py")
    entrypoint = app.start("folder")
    assert entrypoint.kind == "script"
    assert app.load(entrypoint) == 1


def test_a_flow_of_an_imported_module(app: App) -> None:
    app.write("pkg/__init__.py", "")
    app.write(
        "pkg/flows.py",
        "from flowlike import flow\n"
        "class Group:\n    @flow\n    def review(): return __name__\n"
        "def make():\n    @flow\n    def made(): return 'made'\n    return made\n"
        "named = make()\n",
    )
    app.write("script.py", "from pkg.flows import Group\nGroup.review.run()")
    entrypoint = app.start("script.py")
    assert (entrypoint.kind, entrypoint.module, entrypoint.script) == ("module", "pkg.flows", None)
    assert entrypoint.qualname == "Group.review"
    assert app.load(entrypoint) == "pkg.flows"

    app.write("script.py", "from pkg import flows\nflows.named.run()")
    entrypoint = app.start("script.py")
    assert entrypoint.qualname == "named"
    assert app.load(entrypoint) == "made"


def test_an_imported_module_that_waits_at_its_top_level(app: App) -> None:
    app.write("flows.py", "from flowlike import flow\n@flow\ndef review(): return 1\nreview.run().wait()")
    assert app.load(app.start("-c", "import flows")) == 1


FLOW = "from flowlike import flow\n@flow\ndef review(): return 1\nreview.run()\n"


@pytest.mark.parametrize(
    ("argv", "text", "place"),
    [
        (["-c", FLOW], None, "python -c"),
        (["-c", f"import builtins\nbuiltins.__IPYTHON__ = True\n{FLOW}"], None, "notebook"),
        (["-"], FLOW, "standard input"),
        (["-i", "-q"], FLOW.replace("\nreview", "\n\nreview"), "interactive"),
    ],
)
def test_code_without_a_file_is_refused_with_a_reason(
    app: App, argv: list[str], text: str | None, place: str
) -> None:
    entrypoint = app.start(*argv, input=text)
    assert entrypoint.kind == "none"
    assert entrypoint.reason is not None
    assert place in entrypoint.reason
    assert ".py file" in entrypoint.reason
    with pytest.raises(KitaruRuntimeError, match="review was typed into"):
        load_function(entrypoint)


def test_a_flow_inside_a_function_is_refused_with_a_reason(app: App) -> None:
    app.write(
        "script.py",
        "from flowlike import flow\ndef main():\n    @flow\n    def review(): return 1\n    review.run()\nmain()\n",
    )
    entrypoint = app.start("script.py")
    assert entrypoint.kind == "none"
    assert "Move it to module level" in str(entrypoint.reason)


def test_a_flow_without_a_name_is_refused_with_a_reason(app: App) -> None:
    app.write("script.py", "from flowlike import flow\nflow(lambda: 1).run()\n")
    entrypoint = app.start("script.py")
    assert entrypoint.kind == "none"
    assert "Give the flow a name" in str(entrypoint.reason)


BROKEN = [
    ("from flowlike import flow\n@flow\ndef review(: return 1\n", "SyntaxError", "script.py, line 3"),
    (
        "import flowlike\n\nraise ValueError('no key')\n",
        "ValueError",
        "script.py, line 3: ValueError: no key",
    ),
    ("import flowlike\nimport beside\n", "ZeroDivisionError", "line 2 (raised in"),
    (
        "import gone\n",
        "ModuleNotFoundError",
        "script.py, line 1: ModuleNotFoundError: No module named 'gone'",
    ),
    ("from flowlike import flow\n@flow\ndef renamed(): return 1\n", "NoneType", "It has renamed."),
    ("import sys\nsys.exit('no key')\n", "SystemExit", "script.py, line 2: no key"),
    (
        "from flowlike import flow\n@flow\ndef other(): return 1\nother.run().wait()\n@flow\ndef review(): return 1\n",
        "LoadEnded",
        "line 4",
    ),
]


@pytest.mark.parametrize(("text", "cause", "told"), BROKEN)
def test_a_script_that_no_longer_loads(app: App, text: str, cause: str, told: str) -> None:
    app.write("script.py", FLOW)
    app.write("beside.py", "1 / 0\n")
    entrypoint = app.start("script.py")
    app.write("script.py", text)
    error = app.refusal(entrypoint)
    assert error.startswith(f"{cause}: ")
    assert str(app.folder / "script.py") in error
    assert told in error


def test_a_script_or_folder_that_is_gone(app: App) -> None:
    script = app.write("script.py", FLOW)
    entrypoint = app.start("script.py")
    script.rename(app.folder / "moved.py")
    error = app.refusal(entrypoint)
    assert error.startswith("FileNotFoundError: ")
    assert str(script) in error
    app.folder.rename(app.elsewhere / "app")
    assert f"The folder {app.folder}" in app.refusal(entrypoint)


def test_a_module_that_is_gone(app: App) -> None:
    flows = app.write("pkg/flows.py", FLOW)
    entrypoint = app.start("-c", "import pkg.flows")
    flows.write_text("from flowlike import flow\n@flow\ndef other(): return 1\n")
    assert "It has other." in app.refusal(entrypoint)
    flows.write_text("import flowlike\n1 / 0\n")
    assert f"{flows}, line 2: ZeroDivisionError" in app.refusal(entrypoint)
    flows.unlink()
    assert "Module pkg.flows" in app.refusal(entrypoint)


def test_an_entry_point_is_json() -> None:
    entrypoint = describe_entrypoint(json.dumps)
    assert Entrypoint.from_json(json.loads(json.dumps(entrypoint.to_json()))) == entrypoint
    assert not loading()
