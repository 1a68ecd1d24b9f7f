"""A flow's source beside its code: at which call in the source a running flow stands."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

from kitaru.engine.dataflow import Reading

NOWHERE = -1
SUBMITTING = ("submit", "map", "product", "run")


@dataclass(frozen=True)
class FlowSource:
    """The reading of a flow's source.

    Attributes:
        reading: what reaches what.
        sites: of each of its code objects, by ``id``, the site of each instruction.
        durable: the sites known to be calls of checkpoints, also before they were made.
        plain: the sites known not to be: calls of Python's own functions.
    """

    reading: Reading
    sites: dict[int, list[int]]
    durable: frozenset[int]
    plain: frozenset[int]


_sources: WeakKeyDictionary[Callable[..., Any], FlowSource | None] = WeakKeyDictionary()


def source_of(function: Callable[..., Any]) -> FlowSource | None:
    """The source of a flow's function, read once; None when it cannot be had, or is not what was compiled."""
    if function not in _sources:
        _sources[function] = _read(function)
    return _sources[function]


def _read(function: Callable[..., Any]) -> FlowSource | None:
    code: object = getattr(inspect.unwrap(function), "__code__", None)
    if not isinstance(code, CodeType):
        return None
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, getattr(function, "__globals__", None)))
    try:
        module = ast.parse(text)
        node = _definition(module, code)
    except (SyntaxError, ValueError, RecursionError):
        return None  # the file is another one by now
    if node is None:
        return None
    reading = Reading(node)
    return FlowSource(
        reading,
        dict(_places(reading, code)),
        frozenset(_durable(reading, function)),
        frozenset(_plain(reading, function)),
    )


def _durable(reading: Reading, function: Callable[..., Any]) -> Iterator[int]:
    names: dict[str, Any] = getattr(function, "__globals__", {})
    for site, node in enumerate(reading.nodes):
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in SUBMITTING:
            called = called.value
        if not isinstance(called, ast.Name) or called.id in reading.variables:
            continue
        if hasattr(names.get(called.id), "__kitaru_function__"):
            yield site


def _plain(reading: Reading, function: Callable[..., Any]) -> Iterator[int]:
    names: dict[str, Any] = getattr(function, "__globals__", {})
    for site, node in enumerate(reading.nodes):
        if not isinstance(node.func, ast.Name) or node.func.id in reading.variables:
            continue
        if hasattr(builtins, node.func.id) and node.func.id not in names:
            yield site


def _definition(module: ast.Module, code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The definition that this very code was compiled from: a file may have been edited since it was imported."""
    for top in module.body:
        for node in ast.walk(top):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name != code.co_name:
                continue
            if min(node.lineno, *(one.lineno for one in node.decorator_list), node.lineno) == (
                code.co_firstlineno
            ):
                return node if _is_compiled_from(code, [*_imports(module), top]) else None
    return None


def _imports(module: ast.Module) -> Iterator[ast.stmt]:
    """All that is imported outside of functions: methods of what was imported compile to other instructions."""
    ahead: list[ast.AST] = [module]
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            ahead.extend(reversed([*ast.iter_child_nodes(node)]))


def _is_compiled_from(code: CodeType, statements: list[ast.stmt]) -> bool:
    module = ast.Module(statements, type_ignores=[])
    compiled = compile(module, code.co_filename, "exec", dont_inherit=True)
    return any(
        one.co_name == code.co_name
        and one.co_firstlineno == code.co_firstlineno
        and one.co_code == code.co_code
        for one in _codes(compiled)
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and those of the functions and comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _places(reading: Reading, code: CodeType) -> Iterator[tuple[int, list[int]]]:
    ends: dict[tuple[int | None, int | None], int] = {}
    starts: dict[tuple[int | None, int | None], int] = {}
    for site, node in enumerate(reading.nodes):
        ends[node.end_lineno, node.end_col_offset] = site
        called = node.func
        if isinstance(called, ast.Attribute) and called.end_col_offset is not None:
            # Where a chain of methods goes over lines, the call's place begins at its name.
            starts[called.end_lineno, called.end_col_offset - len(called.attr.encode())] = site
    for one in _codes(code):
        sites: list[int] = []
        for line, end_line, column, end_column in one.co_positions():
            site = ends.get((end_line, end_column))
            sites.append(starts.get((line, column), NOWHERE) if site is None else site)
        yield id(one), sites
