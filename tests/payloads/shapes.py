"""Classes whose instances go through the codecs; at module level, so that they are found by name."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, HttpUrl, PrivateAttr, RootModel, SecretStr, field_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    CRIMSON = "red"
    BLUE = object()


class Word(enum.StrEnum):
    YES = "yes"


class Level(enum.IntEnum):
    LOW = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Name(str):
    pass


class Count(int):
    pass


class Ratio(float):
    pass


class Raw(bytes):
    pass


class Stack(list[Any]):
    pass


class Table(dict[Any, Any]):
    pass


class Group(set[Any]):
    pass


class Loud(str):
    """A str whose own text is not its content."""

    def __str__(self) -> str:
        return "LOUD"


class Labelled(list[Any]):
    label: str


class Slotted(int):
    __slots__ = ()


class Hooked(list[Any]):
    """Its own idea of being pickled wins over ours."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Hooked, (), None, iter(self))


class Point(NamedTuple):
    x: Any
    y: Any = 0


class Animal(BaseModel):
    name: str = "?"


class Dog(Animal):
    barks: int = 0


class Owner(BaseModel):
    pet: Animal
    anything: Any = None


class Shouting(BaseModel):
    """A validator that changes the value, and one that rejects what the field may later hold."""

    text: str
    age: int = 0

    @field_validator("text")
    @classmethod
    def upper(cls, value: str) -> str:
        return value.upper()

    @field_validator("age")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError("must not be negative")
        return value


class Open(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)
    known: int = 1


class Private(BaseModel):
    shown: int = 0
    _hidden: list[int] = PrivateAttr(default_factory=list)

    @cached_property
    def double(self) -> int:
        return 2 * self.shown


class Box(BaseModel, Generic[T]):
    held: T


class Numbers(RootModel[list[int]]):
    pass


class Account(BaseModel):
    home: HttpUrl
    key: SecretStr


class History(BaseModel):
    messages: list[Any] = []
    title: str = ""


@dataclass
class Report:
    title: str
    body: Any = None
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    value: Any
    derived: int = field(init=False, default=7)


@dataclass
class Awkward:
    """Its constructor changes what it is given and adds an attribute."""

    amount: int

    def __post_init__(self) -> None:
        self.amount += 1
        self.extra = [self.amount]


@dataclass
class Crate(Generic[T]):
    held: T


@pydantic_dataclass
class Checked:
    number: int


@dataclass
class Odd(list[Any]):
    tag: str = ""


@dataclass
class Queue(deque[Any]):
    tag: str = ""


class Plain:
    """Neither a model nor a dataclass: only pickle says it."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and self.held == other.held

    __hash__ = None  # type: ignore[assignment]


def local_report() -> Any:
    @dataclass
    class Local:
        title: str

    return Local("here")


def doubler() -> Callable[[int], int]:
    return lambda number: 2 * number
