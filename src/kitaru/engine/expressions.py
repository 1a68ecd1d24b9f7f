"""What an expression of a flow's body may come from: call sites, and the flow's parameters."""

from __future__ import annotations

import ast
from collections.abc import Container, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

MUTATORS = frozenset({"add", "append", "appendleft", "extend", "insert", "setdefault", "update"})
NOT_DATA = frozenset({"id", "after"})
"""What a checkpoint's call takes besides the checkpoint's own arguments."""
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ClosedNode = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Atom(NamedTuple):
    """What a value may come from: a call site, or a parameter of the flow.

    Attributes:
        site: the call's; -1 for a parameter.
        region: the loop or comprehension in which all calls that the site made count, in the last run through it; -1:
            only its latest.
        choice: of all atoms of the same choice only the one that was called last counts: a variable was assigned on
            one way or on another; -1: it always counts.
    """

    site: int = -1
    parameter: str = ""
    region: int = -1
    choice: int = -1


Value = frozenset[Atom]
NOTHING: Value = frozenset()


@dataclass
class Site:
    """A call in the source.

    Attributes:
        args: what reaches each positional argument before the first ``*``.
        rest: what reaches the others.
        named: what reaches the keyword arguments.
        bare: arguments, by place or name, that are a variable or a call as they stand.
        inputs: what reaches it in any way, the object whose method it is included.
        control: what decided whether it is made.
    """

    index: int
    args: list[Value] = field(default_factory=list[Value])
    rest: Value = NOTHING
    named: dict[str, Value] = field(default_factory=dict[str, Value])
    bare: set[int | str] = field(default_factory=set[int | str])
    inputs: Value = NOTHING
    control: Value = NOTHING

    def clear(self) -> None:
        """Read again."""
        self.args, self.rest, self.named, self.bare = [], NOTHING, {}, set()
        self.inputs = self.control = NOTHING


@dataclass
class Variables:
    """What each variable may hold at a place, and how deep in loops it was last assigned.

    ``single``: those that hold what one call gave, or one parameter, as it is.
    """

    values: dict[str, Value] = field(default_factory=dict[str, Value])
    depths: dict[str, int] = field(default_factory=dict[str, int])
    single: set[str] = field(default_factory=set[str])

    def copy(self) -> Variables:
        """Another one, to go its own way."""
        return Variables(dict(self.values), dict(self.depths), set(self.single))

    def join(self, other: Variables, choices: dict[tuple[int, str], int], place: ast.AST) -> None:
        """It came to ``place`` by this way or by the other."""
        for name, value in other.values.items():
            ways = self.values.get(name, value), value
            self.depths[name] = min(self.depths.get(name, other.depths[name]), other.depths[name])
            single = name in other.single and (name in self.single or name not in self.values)
            self.single -= {name}
            if single:
                self.single |= {name}
                if ways[0] != ways[1]:
                    choice = choices.setdefault((id(place), name), len(choices))
                    self.values[name] = frozenset(atom._replace(choice=choice) for atom in ways[0] | ways[1])
                    continue
            self.values[name] = ways[0] | ways[1]


class Expressions:
    """Reads expressions, and keeps what variables may hold.

    Attributes:
        sites: the calls in the source, and ``nodes`` where they stand, by the same index.
        members: the sites in each region.
    """

    def __init__(self, function: FunctionNode) -> None:
        self.sites: list[Site] = []
        self.nodes: list[ast.Call] = []
        self.members: list[frozenset[int]] = []
        self._numbers: dict[int, int] = {}
        self._regions: dict[int, int] = {}
        self._choices: dict[tuple[int, str], int] = {}
        self._control: Value = NOTHING
        self._touched: set[str] = set()
        self._loops: list[int] = []
        self._nested: list[FunctionNode] = []
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                self._numbers[id(node)] = len(self.sites)
                self.sites.append(Site(len(self.sites)))
                self.nodes.append(node)
        self._now = Variables()
        self._ever = Variables()

    @property
    def variables(self) -> Container[str]:
        """The function's own variables."""
        return self._ever.values

    # ---------------------------------------------------------------- variables

    def _assign(self, name: str, value: Value, *, single: bool = False) -> None:
        self._touched.add(name)
        self._now.values[name] = value
        self._now.single -= {name}
        if single:
            self._now.single |= {name}
        self._now.depths[name] = len(self._loops)
        self._ever.values[name] = self._ever.values.get(name, NOTHING) | value
        self._ever.depths[name] = 0

    def _grow(self, name: str, value: Value) -> None:
        """The variable's object takes more in; in a loop, more with each round."""
        if name in self._now.values:
            # What decided that it does is a part of what it holds.
            value = self._widened(name, value | self._control)
            self._touched.add(name)
            self._now.values[name] |= value
            self._now.single -= {name}
            self._ever.values[name] |= value

    def _widened(self, name: str, value: Value) -> Value:
        depth = self._now.depths.get(name, len(self._loops))
        return self.over(self._loops[depth], value) if depth < len(self._loops) else value

    def over(self, region: int, value: Value) -> Value:
        """Where a site in the region is meant: all its calls in the last run through that."""
        inside = self.members[region]
        return frozenset(atom._replace(region=region) if atom.site in inside else atom for atom in value)

    def _region(self, node: ast.AST, parts: Iterable[ast.AST]) -> int:
        if id(node) not in self._regions:
            every = (one for part in parts for one in ast.walk(part))
            inside = (self._numbers[id(one)] for one in every if isinstance(one, ast.Call))
            self._regions[id(node)] = len(self.members)
            self.members.append(frozenset(inside))
        return self._regions[id(node)]

    @contextmanager
    def _under(self, control: Value) -> Generator[None]:
        before = self._control
        self._control = before | control
        try:
            yield
        finally:
            self._control = before

    def _bind(self, target: ast.expr, value: Value, given: ast.expr | None = None) -> None:
        match target:
            case ast.Name():
                if given is not None and _reads(given, target.id):
                    value = self._rewritten(target.id, value, given)
                self._assign(target.id, value, single=given is not None and self._is_single(given))
            case ast.Tuple() | ast.List():
                parts = given.elts if isinstance(given, ast.Tuple | ast.List) else []
                exact = len(parts) == len(target.elts)
                for place, one in enumerate(target.elts):
                    self._bind(one, self.value(parts[place]) if exact else value)
            case ast.Starred():
                self._bind(target.value, value)
            case ast.Attribute() | ast.Subscript():
                base = base_of(target)
                if base is not None:
                    self._grow(base, value)
            case _:
                pass

    def _is_single(self, given: ast.expr) -> bool:
        if isinstance(given, ast.Await):
            given = given.value
        return isinstance(given, ast.Call) or (isinstance(given, ast.Name) and given.id in self._now.single)

    def _rewritten(self, name: str, value: Value, given: ast.expr) -> Value:
        """``x = f(x, step())`` holds what ``f`` gave; ``x = x + step()`` what all rounds gave."""
        call = given.value if isinstance(given, ast.Await) else given
        if not isinstance(call, ast.Call):
            return self._widened(name, value)
        site = self.sites[self._numbers[id(call)]]
        site.inputs = self._widened(name, site.inputs)
        return value

    def _define(self, node: FunctionNode) -> None:
        if node not in self._nested:
            self._nested.append(node)
        if not isinstance(node, ast.Lambda):
            self._assign(node.name, self._closed_over(node))

    def _closed_over(self, node: ast.AST) -> Value:
        names = [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]
        return NOTHING.union(*(self._now.values.get(name, NOTHING) for name in names))

    # ---------------------------------------------------------------- expressions

    def value(self, node: ast.expr | None) -> Value:
        """What an expression's value may come from."""
        match node:
            case None | ast.Constant():
                return NOTHING
            case ast.Name():
                return self._now.values.get(node.id, NOTHING)
            case ast.Call():
                return self._call(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self._comprehension(node)
            case ast.BoolOp():
                return self._chain(node.values)
            case ast.IfExp():
                test = self.value(node.test)
                with self._under(test):
                    return test | self.value(node.body) | self.value(node.orelse)
            case ast.NamedExpr():
                value = self.value(node.value)
                self._bind(node.target, value, node.value)
                return value
            case ast.Lambda():
                self._define(node)
                return self._closed_over(node)
            case _:
                return self._union(ast.iter_child_nodes(node))

    def _union(self, nodes: Iterable[ast.AST]) -> Value:
        found = NOTHING
        for node in nodes:
            if isinstance(node, ast.expr):
                found |= self.value(node)
        return found

    def _chain(self, operands: list[ast.expr]) -> Value:
        """``a and b()``: ``b`` is called only because of ``a``."""
        found = NOTHING
        for operand in operands:
            with self._under(found):
                found |= self.value(operand)
        return found

    def _comprehension(self, node: ClosedNode) -> Value:
        outside = self._now.copy()
        control = NOTHING
        for generator in node.generators:
            self._bind(generator.target, self.value(generator.iter))
            for test in generator.ifs:
                control |= self.value(test)
        with self._under(control):
            parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            found = self._union(parts)
        self._now = outside
        again = [*parts, *(one for first in node.generators for one in first.ifs)]
        again += [inner.iter for inner in node.generators[1:]]
        return self.over(self._region(node, again), found | control)

    def _call(self, node: ast.Call) -> Value:
        site = self.sites[self._numbers[id(node)]]
        site.control |= self._control
        receiver = self.value(node.func)
        taken, plain = receiver, True
        for place, one in enumerate(node.args):
            value = self.value(one)
            taken |= value
            plain = plain and not isinstance(one, ast.Starred)
            if not plain:
                site.rest |= value
                continue
            if place == len(site.args):
                site.args.append(NOTHING)
            site.args[place] |= value
            if _is_bare(one):
                site.bare.add(place)
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is None:
                site.rest |= value
            elif keyword.arg not in NOT_DATA:
                site.named[keyword.arg] = site.named.get(keyword.arg, NOTHING) | value
                if _is_bare(keyword.value):
                    site.bare.add(keyword.arg)
            taken |= value
        site.inputs |= taken
        if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            base = base_of(node.func.value)
            if base is not None:
                self._grow(base, taken - receiver)
        return frozenset({Atom(site.index)})


def base_of(node: ast.expr) -> str | None:
    """The variable behind ``x.attribute[key]``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _reads(node: ast.expr, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))


def _is_bare(node: ast.expr) -> bool:
    """A variable or a call as it stands: what it gives is handed on unchanged."""
    if isinstance(node, ast.Await):
        node = node.value
    return isinstance(node, ast.Name | ast.Call)
