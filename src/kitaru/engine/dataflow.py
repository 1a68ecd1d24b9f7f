"""Which calls of a flow's body give what reaches the arguments of others: a reading of its source, before it runs.

Definitions are followed in the order of the statements, branches are joined, loops are read until nothing is added.
Nothing is executed and no type is guessed: what a call gives is the call's own, and whether that call is a durable one
is known only when the flow runs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from kitaru.engine.expressions import NOTHING, Atom, Expressions, FunctionNode, Value, Variables, base_of

PASSES = 3


class Reading(Expressions):
    """The reading of one flow function.

    Attributes:
        result: what reaches what it returns.
    """

    def __init__(self, function: FunctionNode) -> None:
        super().__init__(function)
        self.result: Value = NOTHING
        for name in parameters(function):
            self._assign(name, frozenset({Atom(parameter=name)}), single=True)
        self._function(function)

    def _function(self, function: FunctionNode) -> None:
        self._body(function)
        while self._nested:
            # It may run at any time later: it sees all that its variables ever held.
            inner = self._nested.pop()
            self._now, self._control, self._loops = self._ever.copy(), NOTHING, []
            for name in parameters(inner):
                self._now.values.pop(name, None)
            result, self.result = self.result, NOTHING
            self._body(inner)
            self.result = result

    def _body(self, function: FunctionNode) -> None:
        if isinstance(function, ast.Lambda):
            self.value(function.body)
        else:
            self._block(function.body)

    # ---------------------------------------------------------------- statements

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        before = self._control
        for statement in statements:
            if isinstance(statement, ast.If):
                test = self._if(statement)
                if _leaves(statement.body) or _leaves(statement.orelse):
                    # What follows is done only because this was not left.
                    self._control |= test
            else:
                self._statement(statement)
        self._control = before

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.For() | ast.AsyncFor():
                self._for(node)
            case ast.While():
                self._while(node)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match():
                self._match(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._define(node)
            case ast.ClassDef():
                pass
            case _:
                self._simple(node)

    def _simple(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign():
                value = self.value(node.value)
                for target in node.targets:
                    self._bind(target, value, node.value)
            case ast.AnnAssign(value=ast.expr() as given):
                self._bind(node.target, self.value(given), given)
            case ast.AugAssign():
                self._augment(node)
            case ast.Return(value=ast.expr() as given):
                self.result |= self._control | self.value(given)
            case _:
                self._union(ast.iter_child_nodes(node))

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self._bind(item.optional_vars, value)
        self._block(node.body)

    def _augment(self, node: ast.AugAssign) -> None:
        value = self.value(node.value)
        base = base_of(node.target)
        if base is not None:
            self._grow(base, value)

    def _if(self, node: ast.If) -> Value:
        test = self.value(node.test)
        outside, self._touched = self._touched, set()
        with self._under(test):
            before = self._now.copy()
            self._block(node.body)
            after, self._now = self._now, before
            self._block(node.orelse)
        if _leaves(node.orelse):
            self._now = after
        elif not _leaves(node.body):
            self._now.join(after, self._choices, node)
        for name in self._touched & self._now.values.keys() - self._now.single:
            self._now.values[name] |= test
        self._touched |= outside
        return test

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        items = self.value(node.iter)
        self._loop(node, node.body, lambda: self._bind(node.target, items))

    def _while(self, node: ast.While) -> None:
        def test() -> None:
            self._control |= self.value(node.test)

        self._loop(node, [node.test, *node.body], test)

    def _loop(
        self, node: ast.For | ast.AsyncFor | ast.While, parts: Sequence[ast.AST], enter: Callable[[], None]
    ) -> None:
        """``parts``: what is done in each round; ``enter``: what comes before the body."""
        region, control = self._region(node, parts), self._control
        for _ in range(PASSES):
            # The last reading counts: it knows all that earlier rounds may have left.
            for site in self.members[region]:
                self.sites[site].clear()
            before = self._now.copy()
            self._loops.append(region)
            enter()
            self._block(node.body)
            self._control = control
            self._loops.pop()
            self._now.join(before, self._choices, node)
            if self._now.values == before.values:
                break
        self._block(node.orelse)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        before = self._now.copy()
        self._block(node.body)
        broken = before
        broken.join(self._now, self._choices, node)
        self._block(node.orelse)
        ends = self._now
        for handler in node.handlers:
            self._now = broken.copy()
            self._block(handler.body)
            if not _leaves(handler.body):
                ends.join(self._now, self._choices, node)
        self._now = ends
        self._block(node.finalbody)

    def _match(self, node: ast.Match) -> None:
        subject = self.value(node.subject)
        start = self._now
        ends: list[Variables] = [start.copy()]
        for case in node.cases:
            self._now = start.copy()
            for part in ast.walk(case.pattern):
                name = getattr(part, "name", None) or getattr(part, "rest", None)
                if isinstance(name, str):
                    self._assign(name, subject)
            with self._under(subject | self.value(case.guard)):
                self._block(case.body)
            ends.append(self._now)
        self._now = ends[0]
        for end in ends[1:]:
            self._now.join(end, self._choices, node)


def parameters(function: FunctionNode) -> list[str]:
    """The names of a function's parameters."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [one.arg for one in every if one is not None]


def _leaves(statements: Sequence[ast.stmt]) -> bool:
    """True when what stands after these statements is not reached through them."""
    return bool(statements) and isinstance(statements[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
