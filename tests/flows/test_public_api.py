"""The public names, pinned: what users import, and how it is called."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import kitaru
from kitaru import KitaruClient, errors

SIGNATURES = {
    "wait": ["name", "question", "schema", "timeout", "metadata", "expires"],
    "sleep": ["duration"],
    "sleep_until": ["moment"],
    "save": ["name", "value", "type", "tags"],
    "load": ["exec_id", "name"],
    "log": ["metadata"],
    "progress": ["done", "total", "message"],
    "llm": [
        *("prompt", "model", "system", "temperature", "max_tokens", "schema", "name"),
        *("timeout", "retries"),
    ],
    "flow": ["function", "retries", "cache", "stack", "image", "timeout", "budget_usd", "name"],
}

CLIENT = {
    "get": ["exec_id"],
    "list": ["flow", "status", "stack", "since", "limit", "cursor"],
    "latest": ["flow"],
    "logs": ["exec_id", "checkpoint", "limit", "follow"],
    "events": ["exec_id"],
    "statistics": ["group_by"],
    "pending_waits": ["exec_id"],
    "input": ["exec_id", "wait", "value"],
    "abort_wait": ["exec_id", "wait"],
    "retry": ["exec_id", "budget_usd"],
    "resume": ["exec_id", "budget_usd"],
    "cancel": ["exec_id"],
    "replay": ["exec_id", "from_", "overrides", "effects", "memory", "inputs"],
}


@pytest.mark.parametrize("name", kitaru.__all__)
def test_each_export_is_there(name: str) -> None:
    assert getattr(kitaru, name) is not None


def test_no_module_takes_the_name_of_a_function() -> None:
    # Importing one would put it in the function's place: `import kitaru.llm` makes `kitaru.llm` a module.
    modules = {module.name for module in pkgutil.iter_modules(kitaru.__path__)}
    assert modules & set(kitaru.__all__) == {"aio", "errors", "memory", "testing"}


def test_exports_are_sorted_once() -> None:
    assert len(set(kitaru.__all__)) == len(kitaru.__all__)
    assert dir(kitaru) == sorted(kitaru.__all__)


@pytest.mark.parametrize(("name", "parameters"), SIGNATURES.items())
def test_functions_keep_their_parameters(name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(kitaru, name)).parameters) == parameters


@pytest.mark.parametrize(("name", "parameters"), CLIENT.items())
def test_client_methods_keep_their_parameters(name: str, parameters: list[str]) -> None:
    method = getattr(KitaruClient().executions, name)
    assert list(inspect.signature(method).parameters) == parameters


def test_every_error_is_a_kitaru_error_and_exported() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert getattr(kitaru, name) is kind
        assert issubclass(kind, (errors.KitaruError, str))


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (
            "kitaru.client",
            ["KitaruClient", "AsyncKitaruClient", "ExecutionStatus", "Execution", "PendingWait"],
        ),
        ("kitaru.config", ["ImageSettings", "configure", "register_model_alias", "resolve_model_selection"]),
        ("kitaru.runtime", ["current_execution_id", "_get_current_execution_id"]),
    ],
)
def test_modules_that_users_import_from(module: str, names: list[str]) -> None:
    found = importlib.import_module(module)
    assert all(hasattr(found, name) for name in names)
