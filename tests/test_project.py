"""What holds for the whole repository: its files, its versions, its size rules."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
MODULES = sorted((PROJECT / "src").rglob("*.py"))
LOCK = "uv.lock"

# Written so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:" + "|".join(("root", "home", "work", "Users")) + r")/\w")
REGISTRY_HOST = re.compile(r"\b(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com)\b")
SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)")
SILENCED_WITH_REASON = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|(?:type|pyright):\s*ignore\[[\w, -]+\])\s+(?:[#-]\s*)?\w"
)

HEAVY = {
    "alembic",
    "asyncio",
    "cloudpickle",
    "cryptography",
    "httpx",
    "keyring",
    "numpy",
    "obstore",
    "pandas",
    "polars",
    "psycopg",
    "pyarrow",
    "rich",
    "sqlalchemy",
    "typer",
}


def repository_texts() -> Iterator[tuple[str, str]]:
    """The name and text of each file that is, or is about to be, committed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in sorted(set(listed.stdout.split("\0")) - {"", LOCK}):
        file = PROJECT / name
        if file.is_file():
            yield name, file.read_text(errors="ignore")


def offences(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in repository_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def project_version() -> str:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert offences(MACHINE_PATH) == []


def test_no_file_but_the_lock_names_a_registry() -> None:
    assert offences(REGISTRY_HOST) == []


def test_the_installed_version_is_the_projects() -> None:
    assert importlib.metadata.version("kitaru") == project_version()


def test_the_changelog_starts_with_the_version() -> None:
    newest = re.search(r"^## (\S+)", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == project_version()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/index.md", ".ci/run"])
def test_each_make_command_that_is_named_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (PROJECT / page).read_text(), re.MULTILINE))
    assert named <= targets


def test_modules_are_short() -> None:
    long = {str(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {module: lines for module, lines in long.items() if lines >= 400} == {}


def test_functions_are_short() -> None:
    long: list[str] = []
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 60 and not _is_mostly_docstring(node):
                    long.append(f"{module}:{node.lineno}: {node.name} has {lines} lines")
    assert long == []


def _is_mostly_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether what is left without the docstring is short: a public function may need a long one."""
    docstring = ast.get_docstring(node, clean=False)
    if docstring is None or node.end_lineno is None:
        return False
    return node.end_lineno - node.lineno - docstring.count("\n") <= 60


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"util", "utils", "helper", "helpers", "misc", "common"}
    assert [
        str(module) for module in MODULES if module.stem in drawers or module.parent.name in drawers
    ] == []


def test_a_silenced_rule_is_named_and_explained() -> None:
    silenced = [
        f"{module}:{number}: {line.strip()}"
        for module in MODULES
        for number, line in enumerate(module.read_text().splitlines(), start=1)
        if SILENCED.search(line) and not SILENCED_WITH_REASON.search(line)
    ]
    assert silenced == []


def test_importing_kitaru_is_light() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, kitaru; print(*sys.modules, sep='\\n')"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert HEAVY.intersection(loaded) == set()


ONE_CHECKPOINT = """
import sys
import kitaru

@kitaru.checkpoint
def step(number: int) -> list[int]:
    return [number]

@kitaru.flow
def one() -> list[int]:
    return step(1)

assert one.run().wait() == [1]
print(*sys.modules, sep="\\n")
"""


def test_a_plain_flow_brings_along_only_what_it_needs(tmp_path: Path) -> None:
    script = tmp_path / "one.py"
    script.write_text(ONE_CHECKPOINT)
    loaded = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "KITARU_CONFIG_PATH": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert (HEAVY | {"asyncio", "pydantic", "importlib.metadata"}).intersection(loaded) == set()
