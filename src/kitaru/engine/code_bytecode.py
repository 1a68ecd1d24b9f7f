"""What a code object does and what it reaches, without where it stands: no lines, no docstrings, no file."""

from __future__ import annotations

import opcode
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any, Literal, NamedTuple

from kitaru.payloads.jsontext import kind_of

Source = Literal["global", "free", "import"]
Instructions = list[tuple[str, int]]


class Reference(NamedTuple):
    """A name that code reads, with the attributes that it goes on to read: ``helpers.clean``."""

    source: Source
    name: str
    """A variable's name; for an import the module as it is written, without its dots."""
    attributes: tuple[str, ...] = ()
    level: int = 0
    """The dots in front of an imported module."""
    top: bool = False
    """Whether the import gives the first part of its dotted name (``import a.b`` gives ``a``)."""


class CodeForm(NamedTuple):
    """The form of a code object that two equal functions share."""

    text: str
    references: tuple[Reference, ...]
    assigned: frozenset[str]
    """The global names that the code assigns: state, no constants."""


_OPNAME = opcode.opname
_HAS_CONST = frozenset(_OPNAME[op] for op in opcode.hasconst)
_HAS_NAME = frozenset(_OPNAME[op] for op in opcode.hasname)
# These carry flags in the lowest bits of their argument.
_NAME_SHIFT = {"LOAD_GLOBAL": 1, "LOAD_SUPER_ATTR": 2}
if sys.version_info >= (3, 12):
    _NAME_SHIFT["LOAD_ATTR"] = 1
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_DEREF = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_STORE = frozenset(
    {"STORE_FAST", "STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST", "STORE_DEREF", "STORE_NAME"}
)
_HAS_DOCSTRING = 0x4000000  # the flag says whether there is one, which must not matter
# The compiler stores these into a class body; they say where and how it was written, not what it does.
_CLASS_NOISE = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})


def read_code(code: CodeType) -> CodeForm:
    """Read ``code`` and the code objects in it.

    Example:
        >>> read_code(compile("helpers.clean(1)", "here.py", "eval")).references
        (Reference(source='global', name='helpers', attributes=('clean',), level=0, top=False),)
    """
    reader = _Reader()
    text = reader.read(code, {}, frozenset(code.co_freevars))
    return CodeForm(text, tuple(dict.fromkeys(reader.references)), frozenset(reader.assigned))


def _decode(code: CodeType) -> Instructions:
    found: Instructions = []
    extended = 0
    units = iter(code.co_code)
    for op, low in zip(units, units, strict=True):
        if op == 0:  # an inline cache of the interpreter
            continue
        arg = extended | low
        name = _OPNAME[op]
        if name == "EXTENDED_ARG":
            extended = arg << 8
            continue
        extended = 0
        found.append((name, arg))
    return found


class _Reader:
    """Gathers the references of one function over the code objects that are nested in it."""

    def __init__(self) -> None:
        self.references: list[Reference] = []
        self.assigned: set[str] = set()

    def read(self, code: CodeType, aliases: dict[str, list[Reference]], free: frozenset[str]) -> str:
        """The text of ``code``. ``aliases``: outer variables that hold imports; ``free``: the function's closure."""
        scope = _Scope(code, _decode(code), aliases, free)
        self.references += scope.references()
        self.assigned |= {scope.name(*it) for it in scope.code if it[0] in ("STORE_GLOBAL", "DELETE_GLOBAL")}
        arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        names = (code.co_varnames, code.co_cellvars, code.co_freevars)
        head = f"{arguments}{code.co_flags & ~_HAS_DOCSTRING}{names}{code.co_exceptiontable.hex()}"
        return "\n".join((head, *self._lines(scope)))

    def _lines(self, scope: _Scope) -> Iterator[str]:
        skip = False
        for index, (op, arg) in enumerate(scope.code):
            if skip:
                skip = False
            elif op in _HAS_CONST:
                following = scope.code[index + 1] if index + 1 < len(scope.code) else ("", 0)
                skip = following[0] == "STORE_NAME" and scope.name(*following) in _CLASS_NOISE
                if not skip:
                    yield f"{op} {self._constant(scope.constants[arg], scope)}"
            elif op in _HAS_NAME:
                # The whole argument as well: its low bits say how a call is made.
                yield f"{op} {arg & (1 << _NAME_SHIFT.get(op, 0)) - 1} {scope.name(op, arg)}"
            else:
                yield f"{op} {arg}"

    def _constant(self, value: Any, scope: _Scope) -> str:
        kind = kind_of(value)
        if kind is CodeType:
            held = set(value.co_freevars)
            aliases = {name: found for name, found in scope.aliases.items() if name in held}
            return f"<{value.co_name} {self.read(value, aliases, scope.free & held)}>"
        if kind is tuple:
            return f"({','.join(self._constant(item, scope) for item in value)})"
        if kind is frozenset:
            return f"{{{','.join(sorted(self._constant(item, scope) for item in value))}}}"
        return constant_text(value)


def constant_text(value: Any) -> str:
    """An atom of Python's own types as text; equal texts mean equal values of the same type.

    Example:
        >>> constant_text(1), constant_text(True), constant_text("a")
        ('int:1', 'bool:True', "str:'a'")
    """
    # In hexadecimal: decimal digits of very large integers are refused.
    text = f"{value:x}" if type(value) is int else repr(value)
    return f"{type(value).__name__}:{text}"


class _Scope:
    """One code object's instructions with its variables."""

    def __init__(
        self,
        code: CodeType,
        instructions: Instructions,
        aliases: dict[str, list[Reference]],
        free: frozenset[str],
    ) -> None:
        self.code = instructions
        self.constants = code.co_consts
        self.names = code.co_names
        self.free = free
        self.cells = frozenset((*code.co_cellvars, *code.co_freevars))
        plain = set(code.co_varnames)
        extra = (name for name in code.co_cellvars if name not in plain)
        self.variables = (*code.co_varnames, *extra, *code.co_freevars)
        self.own = {self.name(op, arg) for op, arg in instructions if op == "STORE_NAME"}
        self.aliases = {name: list(found) for name, found in aliases.items()}
        self.loose: list[Reference] = []
        for index, (op, _) in enumerate(instructions):
            if op == "IMPORT_NAME":
                self._read_import(index)

    def name(self, op: str, arg: int) -> str:
        """The name that an instruction carries."""
        return self.names[arg >> _NAME_SHIFT.get(op, 0)]

    def _read_import(self, index: int) -> None:
        module = self.name(*self.code[index])
        level_op, level_arg = self.code[index - 2]
        level: int = self.constants[level_arg] if level_op in _HAS_CONST else level_arg
        wanted = self.constants[self.code[index - 1][1]]
        at = index + 1
        if wanted:
            while self.code[at][0] == "IMPORT_FROM":
                found = Reference("import", module, (self.name(*self.code[at]),), level)
                self._bind(self.code[at + 1], found)
                at += 2
        elif self.code[at][0] == "IMPORT_FROM":  # import a.b as c
            while self.code[at][0] in ("IMPORT_FROM", "SWAP", "POP_TOP"):
                at += 1
            self._bind(self.code[at], Reference("import", module))
        else:
            self._bind(self.code[at], Reference("import", module, top="." in module))

    def _bind(self, store: tuple[str, int], found: Reference) -> None:
        """Note the variable that an import goes to; what goes elsewhere is taken to be read at once."""
        op, arg = store
        if op in _STORE:
            variable = self.name(op, arg) if op == "STORE_NAME" else self._variables_of(op, arg)[0]
            self.aliases.setdefault(variable, []).append(found)
        if op not in _STORE or op == "STORE_NAME":
            self.loose.append(found)

    def _variables_of(self, op: str, arg: int) -> tuple[str, ...]:
        if op.count("_FAST") > 1 and op != "LOAD_FAST_AND_CLEAR":  # two instructions in one
            return self.variables[arg >> 4], self.variables[arg & 15]
        return (self.variables[arg],)

    def references(self) -> Iterator[Reference]:
        """What the code reads from outside itself, in the order of reading."""
        yield from self.loose
        asked = False  # whether the instruction before put getattr on the stack
        for index, (op, arg) in enumerate(self.code):
            *before, last = self._read(op, arg) or ([],)
            for found in before:
                yield from found
            if last:
                attributes, constant = self._attributes(index + 1)
                if asked and constant is not None:
                    attributes = (*attributes, constant)
                for base in last:
                    full = base._replace(attributes=(*base.attributes, *attributes))
                    yield _imported(full, constant) or full
            if op != "PUSH_NULL":
                asked = op in _GLOBAL and self.name(op, arg) in ("getattr", "hasattr")

    def _read(self, op: str, arg: int) -> tuple[list[Reference], ...] | None:
        """The references behind each variable that one instruction reads; ``None``: it reads none."""
        if op in _GLOBAL:
            name = self.name(op, arg)
            if name in self.own or name in self.aliases:
                return (self.aliases.get(name, []),)
            return ([Reference("global", name)],)
        if op in _DEREF:
            name = self.variables[arg]
            if name in self.aliases:
                return (self.aliases[name],)
            return ([Reference("free", name)] if name in self.free else [],)
        if not self.aliases or "LOAD_FAST" not in op:
            return None
        names = self._variables_of(op, arg)
        read = names[1:] if op.startswith("STORE") else names
        # A cell that is loaded like this is handed on to a nested function, which is read by itself.
        return tuple(self.aliases.get(name, []) if name not in self.cells else [] for name in read)

    def _attributes(self, index: int) -> tuple[tuple[str, ...], str | None]:
        """The attributes read from here on, and the string that is loaded right behind them, if any."""
        found: list[str] = []
        while self.code[index][0] in _ATTRIBUTE:
            found.append(self.name(*self.code[index]))
            index += 1
        while self.code[index][0] == "PUSH_NULL":
            index += 1
        op, arg = self.code[index]
        constant = self.constants[arg] if op == "LOAD_CONST" else None
        return tuple(found), constant if type(constant) is str else None


def _imported(reference: Reference, constant: str | None) -> Reference | None:
    """``import_module("a.b")`` is an import like any other."""
    *_, last = (reference.name, *reference.attributes)
    if last == "import_module" and constant and not constant.startswith("."):
        return Reference("import", constant)
    return None
