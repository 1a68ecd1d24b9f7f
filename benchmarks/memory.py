"""Memory with a million versions: ``python -m benchmarks.memory``.

100 scopes of 100 keys of 100 versions, written in bulk into the tables; then what a client does is timed, in
one process, against keys at random. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.servers import Databases, server
from kitaru import KitaruClient, remembering
from kitaru.backend import backend
from kitaru.payloads import encode
from kitaru.store.memory import _INSERT, _TEXT
from kitaru.store.memory_records import Scope
from kitaru.store.rows import payload_row

SCOPES, KEYS, VERSIONS = 100, 100, 100
REPETITIONS = 300


def _fill(scopes: int, keys: int, versions: int) -> None:
    """What ``memory.set`` would have left, without a commit for each."""
    store = backend().store
    database: Any = store._database
    number = 0
    for scope in range(scopes):
        first = number

        def fill(tx: Any, scope: int = scope, first: int = first) -> None:
            scope_id = scope + 1
            tx.many(
                "INSERT INTO memory_scopes (scope_id, scope_type, scope, seq) "
                f"{_OVERRIDE[database.dialect]}VALUES (?, ?, ?, ?)",
                [(scope_id, "namespace", f"scope{scope}", keys * versions)],
            )
            names = [f"customers/{key:04}/notes" for key in range(keys)]
            tx.many(
                "INSERT INTO memory_keys (key_id, scope_id, name, version, deleted) "
                f"{_OVERRIDE[database.dialect]}VALUES (?, ?, ?, ?, ?)",
                [(first + key + 1, scope_id, name, versions, False) for key, name in enumerate(names)],
            )
            tx.many(
                _INSERT.partition(" RETURNING")[0],
                [
                    (
                        first + key + 1,
                        version,
                        (version - 1) * keys + key + 1,
                        *_payload(key, version),
                        *_AUTHOR,
                    )
                    for version in range(1, versions + 1)
                    for key in range(keys)
                ],
            )
            texts = [(first + key + 1, f"{name} {_value(key, versions)}") for key, name in enumerate(names)]
            tx.many(_TEXT[database.dialect], texts)

        database.write(fill)
        number += keys
    if database.dialect == "postgres":
        for table, column in (("memory_scopes", "scope_id"), ("memory_keys", "key_id")):
            last = scopes if table == "memory_scopes" else number
            database.write(
                lambda tx, t=table, c=column, n=last: tx.run(
                    f"SELECT setval(pg_get_serial_sequence('{t}', '{c}'), {n})"
                ).fetchall()
            )
        database.write(lambda tx: tx.run("ANALYZE"))


_OVERRIDE = {"sqlite": "", "postgres": "OVERRIDING SYSTEM VALUE "}
_AUTHOR = ("kr-0123456789abcdef", "memory.set#1", "writing", "writing")


def _value(key: int, version: int) -> dict[str, Any]:
    return {"customer": key, "likes": f"tea {version}", "since": "2026-01-01"}


def _payload(key: int, version: int) -> tuple[Any, ...]:
    from kitaru.store.records import Payload

    encoded = encode(_value(key, version))
    payload = Payload(
        encoded.digest,
        encoded.codec,
        encoded.size,
        encoded.type,
        encoded.media_type,
        encoded.data,
        encoded.preview,
    )
    return payload_row(payload)


def _child(scopes: int, keys: int, versions: int) -> None:
    _fill(scopes, keys, versions)
    client = KitaruClient()
    memories = client.memories
    store = backend().store.memory
    chance = random.Random(1)

    def where() -> dict[str, str]:
        return {"scope": f"scope{chance.randrange(scopes)}"}

    def key() -> str:
        return f"customers/{chance.randrange(keys):04}/notes"

    def as_of() -> object:
        scope = Scope("namespace", where()["scope"])
        found = store.entries(scope, upto=chance.randrange(keys * versions), limit=keys)
        return [remembering.entry(one) for one in found]

    asked: dict[str, Callable[[], object]] = {
        "get": lambda: memories.get(key(), **where()),
        "set": lambda: memories.set(key(), {"customer": 1, "likes": "coffee"}, **where()),
        "history, a page of 100": lambda: memories.history(key(), **where()),
        f"as of a moment, a scope of {keys} keys": as_of,
        "list, a page of 100": lambda: memories.list(**where()),
        "search, the best 20": lambda: memories.search("tea", **where()),
    }
    for name, ask in asked.items():
        ask()
        print(json.dumps([name, [_milliseconds(ask) for _ in range(REPETITIONS)]]), flush=True)


def _milliseconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def _measure(url: str, databases: Databases, sizes: tuple[int, ...]) -> tuple[dict[str, list[float]], int]:
    with tempfile.TemporaryDirectory(prefix="kitaru-benchmark-") as folder:
        environment = os.environ | {"KITARU_CONFIG_PATH": folder}
        if url:
            environment["KITARU_DATABASE_URL"] = url
        command = [sys.executable, "-m", "benchmarks.memory", "--child", *map(str, sizes)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        size = databases.size(url) if url else (Path(folder) / "kitaru.db").stat().st_size
    return dict(map(json.loads, done.stdout.splitlines())), size


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both stores, and print Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "--scopes", type=int, default=SCOPES, help=f"each of 10,000 versions (default {SCOPES})"
    )
    parser.add_argument(
        "--postgres", metavar="URL", help="a server to use; default: one from a wheel is started"
    )
    parser.add_argument("--child", nargs=3, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        _child(*given.child)
        return
    sizes = (given.scopes, KEYS, VERSIONS)
    with server(given.postgres) as databases:
        lite, lite_bytes = _measure("", databases, sizes)
        postgres, postgres_bytes = _measure(databases.create(), databases, sizes)
    versions = given.scopes * KEYS * VERSIONS
    print(
        f"{versions:,} versions over {given.scopes * KEYS:,} keys; median of {REPETITIONS} (95th percentile), ms\n"
    )
    print("| | SQLite | PostgreSQL |\n|---|---:|---:|")
    for name in lite:
        print(f"| {name} | {_cell(lite[name])} | {_cell(postgres[name])} |")
    print(f"| bytes on disk a version | {lite_bytes / versions:,.0f} | {postgres_bytes / versions:,.0f} |")


def _cell(times: list[float]) -> str:
    return f"{statistics.median(times):,.2f} ({statistics.quantiles(times, n=20)[-1]:,.2f})"


if __name__ == "__main__":
    main()
