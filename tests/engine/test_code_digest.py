from __future__ import annotations

import importlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from kitaru.engine.code_digest import CodeDigest, code_digest

Load = Callable[[dict[str, str]], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes modules into a folder of their own and imports the one called ``flows``, each time anew."""
    numbers = itertools.count()

    def loaded(files: dict[str, str]) -> ModuleType:
        folder = tmp_path / str(next(numbers))
        for name, text in files.items():
            file = folder / f"{name.replace('.', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for name in list(sys.modules):
            if name.partition(".")[0] in {"flows", "helpers", "pkg"}:
                monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(folder)
        return importlib.import_module("flows")

    return loaded


def digest_of(module: ModuleType, name: str = "step") -> CodeDigest:
    return code_digest(getattr(module, name))


HELPERS = """
LIMIT = 3

def clean(text):
    return text.strip()[:LIMIT]

def shout(text):
    return clean(text).upper()

def other(text):
    return text.lower()

class Parser:
    def parse(self, text):
        return clean(text)

    @staticmethod
    def quick(text):
        return other(text)
"""

FLOWS = """
import functools
import helpers
from helpers import Parser, shout

def by_module(x): return helpers.clean(x)
def by_name(x): return shout(x)
def by_class(x): return Parser().parse(x)
def by_static(x): return Parser.quick(x)
def by_local_import(x):
    from helpers import clean
    return clean(x)
def by_local_module(x):
    import helpers as h
    return [h.clean(y) for y in x]
def by_getattr(x): return getattr(helpers, "clean")(x)
def by_lambda(xs): return sorted(xs, key=lambda x: shout(x))
def by_default(x, how=helpers.clean): return how(x)
def by_table(x): return TABLE["a"](x)
def by_nested(x):
    def inner(): return helpers.clean(x)
    return inner()
def make(how):
    def closed(x): return how(x)
    return closed
by_closure = make(helpers.clean)
by_partial = functools.partial(helpers.clean, text="a")
def by_recursion(n): return n and by_return(n - 1)
def by_return(n): return by_recursion(n) + helpers.LIMIT
class Sub(Parser): pass
def by_base(x): return Sub().parse(x)
@functools.lru_cache
def cached(x): return helpers.clean(x)
def by_cached(x): return cached(x)
def deco(f):
    @functools.wraps(f)
    def wrapper(*a): return f(*a)
    return wrapper
by_decorated = deco(by_module)
TABLE = {"a": helpers.clean}

def none_of_them(x): return helpers.other(x)
def nothing(x): return len(x)
"""


def test_editing_a_function_changes_exactly_what_reaches_it(load: Load) -> None:
    before = load({"flows": FLOWS, "helpers": HELPERS})
    names = [name for name in vars(before) if name.startswith("by_") or name in ("none_of_them", "nothing")]
    assert len(names) == 20
    old = {name: digest_of(before, name) for name in names}
    after = load({"flows": FLOWS, "helpers": HELPERS.replace("LIMIT]", "LIMIT].strip()")})
    new = {name: digest_of(after, name) for name in names}
    assert all(found.resolved for found in (*old.values(), *new.values()))
    # by_recursion and by_return read the constant alone.
    untouched = {"none_of_them", "nothing", "by_static", "by_recursion", "by_return"}
    assert {name for name in names if old[name] == new[name]} == untouched


def test_editing_a_constant_changes_exactly_what_reads_it(load: Load) -> None:
    before = load({"flows": FLOWS, "helpers": HELPERS})
    after = load({"flows": FLOWS, "helpers": HELPERS.replace("LIMIT = 3", "LIMIT = 4")})
    for name in ("by_return", "by_recursion", "by_name", "by_base", "by_decorated"):
        assert digest_of(before, name) != digest_of(after, name), name
    for name in ("none_of_them", "by_static"):
        assert digest_of(before, name) == digest_of(after, name), name


PLAIN = """
LIMIT = 3
def step(x):
    total = 0
    for y in x:
        total += y
    def inner(z):
        return z in {"a", "b", "c"}
    class Held:
        def m(self): self.a = self.b = 1
    return total, inner, Held, LIMIT
"""

DRESSED = '''"""A module docstring."""
# A comment.
import os


LIMIT = 3   # a limit


def before_it():
    return os


def step(x):
    """A docstring."""
    # Another comment.
    total = 0

    for y in x:

        total += y  # and another

    def inner(z):
        """Inner."""
        return z in {"a", "b", "c"}

    class Held:
        """Held."""

        def m(self):
            self.a = self.b = 1
    return total, inner, Held, LIMIT
'''


def test_comments_docstrings_and_places_do_not_matter(load: Load) -> None:
    plain, dressed = load({"flows": PLAIN}), load({"flows": DRESSED})
    assert digest_of(plain) == digest_of(dressed)
    assert digest_of(plain).resolved


def test_a_docstring_in_a_class_does_not_matter(load: Load) -> None:
    text = "class A:\n    def m(self): return 1\ndef step(): return A().m()\n"
    told = text.replace("class A:\n", '\n\nclass A:\n    """A."""\n').replace(
        "return 1", '"""M."""; return 1'
    )
    assert digest_of(load({"flows": text})) == digest_of(load({"flows": told}))


MODEL = """
from pydantic import BaseModel, PrivateAttr, field_validator
class M(BaseModel):
    a: int = 0
    _p: int = PrivateAttr(default=1)
    @field_validator("a", mode="after")
    @classmethod
    def check(cls, value): return value
def step(): return M()
"""

CHANGES = [
    (MODEL, MODEL.replace("default=1", "default=2")),
    (MODEL, MODEL.replace("after", "before")),
    ("def step(x): return x + 1", "def step(x): return x + 2"),
    ("def step(x): return x + 1", "def step(x): return x + True"),
    ("def step(x): return x + 1", "def step(x): return x + 1.0"),
    ("def step(x): return x.a", "def step(x): return x.b"),
    ("def step(x, y=1): return y", "def step(x, y=2): return y"),
    ("def step(x, *, y=1): return y", "def step(x, *, y=2): return y"),
    ("def step(x): return (lambda: 1)()", "def step(x): return (lambda: 2)()"),
    ("A = {'a': [1]}\ndef step(): return A", "A = {'a': [2]}\ndef step(): return A"),
    ("A = (1, {2})\ndef step(): return A", "A = (1, {3})\ndef step(): return A"),
    (
        "import re\nA = re.compile('a')\ndef step(): return A",
        "import re\nA = re.compile('b')\ndef step(): return A",
    ),
    (
        "from enum import Enum\nclass C(Enum):\n    A = 1\ndef step(): return C.A",
        "from enum import Enum\nclass C(Enum):\n    A = 2\ndef step(): return C.A",
    ),
    (
        "from pydantic import BaseModel\nclass M(BaseModel):\n    a: int\nA = M(a=1)\ndef step(): return A",
        "from pydantic import BaseModel\nclass M(BaseModel):\n    a: int\nA = M(a=2)\ndef step(): return A",
    ),
    (
        "from pydantic import BaseModel\nclass M(BaseModel):\n    a: int = 1\ndef step(): return M()",
        "from pydantic import BaseModel\nclass M(BaseModel):\n    a: int = 2\ndef step(): return M()",
    ),
    (
        "from pydantic import BaseModel, Field\nclass M(BaseModel):\n    a: int = Field(gt=1)\ndef step(): return M",
        "from pydantic import BaseModel, Field\nclass M(BaseModel):\n    a: int = Field(gt=2)\ndef step(): return M",
    ),
    (
        "from dataclasses import dataclass\n@dataclass\nclass M:\n    a: int = 1\ndef step(): return M()",
        "from dataclasses import dataclass\n@dataclass\nclass M:\n    a: int = 2\ndef step(): return M()",
    ),
    (
        "from datetime import timedelta\nA = timedelta(1)\ndef step(): return A",
        "from datetime import timedelta\nA = timedelta(2)\ndef step(): return A",
    ),
    (
        "class A:\n    def m(self): return 1\na = A()\ndef step(): return a.m()",
        "class A:\n    def m(self): return 2\na = A()\ndef step(): return a.m()",
    ),
    (
        "class A:\n    @property\n    def m(self): return 1\ndef step(): return A().m",
        "class A:\n    @property\n    def m(self): return 2\ndef step(): return A().m",
    ),
    (
        "class W:\n    def __init__(self, f): self.f = f\n@W\ndef g(): return 1\ndef step(): return g.f()",
        "class W:\n    def __init__(self, f): self.f = f\n@W\ndef g(): return 2\ndef step(): return g.f()",
    ),
    (
        "from contextlib import contextmanager\n@contextmanager\ndef g(): yield 1\ndef step(): return g()",
        "from contextlib import contextmanager\n@contextmanager\ndef g(): yield 2\ndef step(): return g()",
    ),
    (
        "from kitaru.checkpoints import checkpoint\n@checkpoint\ndef g(): return 1\ndef step(): return g()",
        "from kitaru.checkpoints import checkpoint\n@checkpoint\ndef g(): return 2\ndef step(): return g()",
    ),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_what_is_part_of_the_code(load: Load, before: str, after: str) -> None:
    old, again, new = (digest_of(load({"flows": text})) for text in (before, before, after))
    assert (old.resolved, new.resolved) == (True, True)
    assert old == again
    assert old.digest != new.digest


STATE = """
import logging, threading
log = logging.getLogger("a")
lock = threading.Lock()
count = {start}
class Client:
    def __init__(self, url): self.url = url
client = Client("{start}")
def step(x):
    global count
    count += 1
    log.info("x")
    with lock:
        return client.url
"""


def test_state_counts_by_its_type(load: Load) -> None:
    one, two = (digest_of(load({"flows": STATE.replace("{start}", start)})) for start in "12")
    assert one.resolved
    assert one == two


@pytest.mark.parametrize(
    "text",
    [
        "def step(x): return missing(x)",
        "def step(x): exec(x)",
        "def step(x): return eval(x)",
        "import importlib\ndef step(x): return importlib.import_module(x)",
        "from importlib import import_module\ndef step(x): return import_module(x)",
        "import helpers\ndef step(x): return getattr(helpers, x)",
        "import helpers\ndef step(x): return helpers.missing",
        "import helpers\ndef inner(x): return helpers.missing\ndef step(x): return inner(x)",
        "def step(x): return globals()[x]",
        "def step(x):\n    from helpers import missing\n    return missing",
    ],
)
def test_what_cannot_be_resolved_is_said(load: Load, text: str) -> None:
    assert not digest_of(load({"flows": text, "helpers": HELPERS})).resolved


@pytest.mark.parametrize(
    "text",
    [
        "def step(x): return getattr(x, 'a' + x)",
        "import json\ndef step(x): return getattr(json, x)",
        "import os.path\ndef step(x): return os.path.join(x), __name__, __file__",
        "import pkg.sub\ndef step(x): return pkg.sub.f(x)",
        "def step(x):\n    import pkg.sub\n    return pkg.sub.f(x)",
        "def step(x):\n    import pkg.sub as s\n    return s.f(x)",
        "def step(x):\n    from pkg import sub\n    return sub.f(x)",
        "import importlib\ndef step(x): return importlib.import_module('json').dumps(x)",
        "def step(x):\n    try:\n        import no_such_module as m\n    except ImportError:\n"
        "        import json as m\n    return m.dumps(x)",
        "from pydantic import BaseModel\nclass M(BaseModel):\n    a: 'M | None' = None\ndef step(x): return M()",
        "a = []\na.append(a)\ndef step(x): return a",
    ],
)
def test_what_can_be_resolved(load: Load, text: str) -> None:
    files = {"flows": text, "pkg.__init__": "", "pkg.sub": "from .deep import g\ndef f(x): return g(x)"}
    first, second = (
        digest_of(load(files | {"pkg.deep": f"def g(x): return {number}"})) for number in ("1", "2")
    )
    assert first.resolved
    assert (first == second) == ("pkg" not in text)


def test_a_relative_local_import_counts(load: Load) -> None:
    files = {"flows": "from pkg.a import step", "pkg.__init__": ""}
    files["pkg.a"] = "def step():\n    from .b import f\n    return f()"
    one, two = (digest_of(load(files | {"pkg.b": f"def f(): return {number}"})) for number in "12")
    assert one.resolved
    assert one != two


def test_an_installed_distribution_counts_by_its_version(load: Load, tmp_path: Path) -> None:
    program = (
        "import flows, json; from kitaru.engine.code_digest import code_digest; d = code_digest(flows.step)\n"
        "print(json.dumps([d.digest, d.resolved]))"
    )

    def installed(version: str, body: str) -> list[object]:
        site = tmp_path / f"{version}-{len(body)}" / "site-packages"
        info = site / f"some_tool-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-tool\nVersion: {version}\n")
        (info / "top_level.txt").write_text("tool\n")
        (info / "RECORD").write_text("tool.py,,\n")
        (site / "tool.py").write_text(f"def use(x): return {body}\n")
        (site.parent / "flows.py").write_text("import tool\ndef step(x): return tool.use(x)\n")
        paths = f"import sys; sys.path[:0] = {[str(site.parent), str(site)]!r}\n"
        ran = subprocess.run(
            [sys.executable, "-c", paths + program], capture_output=True, text=True, check=True
        )
        return json.loads(ran.stdout)

    first = installed("1.0", "1")
    assert first[1] is True
    assert installed("1.0", "1 + 1") == first
    assert installed("1.1", "1") != first


def test_every_process_says_the_same(load: Load) -> None:
    text = FLOWS + (
        "from pydantic import BaseModel, field_validator\n"
        "KEYS = {'a', 'b', 'c', ('d', 'e')}\n"
        "class Review(BaseModel):\n"
        "    text: str = ''\n"
        "    @field_validator('text')\n"
        "    @classmethod\n"
        "    def short(cls, value): return shout(value)\n"
        "def step(x): return x in KEYS and x in {'u', 'v', 'w'} and Review(), by_base, by_table, by_cached\n"
    )
    module = load({"flows": text, "helpers": HELPERS})
    here = digest_of(module)
    program = "import flows; from kitaru.engine.code_digest import code_digest; print(code_digest(flows.step).digest)"
    folder = Path(str(module.__file__)).parent
    for seed in ("1", "2", "3"):
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == here.digest


def test_a_function_is_read_once(load: Load) -> None:
    module = load({"flows": "A = [1]\ndef step(): return A"})
    first = digest_of(module)
    module.A.append(2)
    assert digest_of(module) is first


def test_a_flow_or_checkpoint_counts_as_its_function(load: Load) -> None:
    module = load({"flows": "from kitaru.checkpoints import checkpoint\n@checkpoint\ndef step(x): return x"})
    assert digest_of(module) == code_digest(module.step.__kitaru_function__)
