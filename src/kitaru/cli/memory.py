"""``kitaru memory``: versioned memory of namespaces, flows and executions."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from kitaru.cli import memory_views, output
from kitaru.cli.executions import ExecId
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient
from kitaru.errors import KitaruStateError, KitaruUsageError


class ScopeType(StrEnum):
    """Whose memory."""

    NAMESPACE = "namespace"
    FLOW = "flow"
    EXECUTION = "execution"


def _known_scopes() -> list[str]:
    return [scope.scope for scope in KitaruClient().memories.scopes()]


Key = Annotated[str, typer.Argument(help="Letters, digits and . _ - /")]
Scope = Annotated[
    str,
    typer.Option(
        "--scope",
        "-s",
        help="A namespace, a flow's name, or an execution's id.",
        autocompletion=_known_scopes,
    ),
]
Kind = Annotated[ScopeType, typer.Option("--scope-type", "-t", help="What the scope is.")]
Limit = Annotated[int, typer.Option(help="The most to show.", min=1)]


def scopes(form: Output = Form.TEXT) -> None:
    """List whose memory there is.

    Example: kitaru memory scopes
    """
    found = KitaruClient().memories.scopes()
    rows = [(one.scope_type, one.scope, one.entry_count) for one in found]
    output.many("memory scopes", form, found, lambda: output.table("", ["scope type", "scope", "keys"], rows))


def list_entries(
    scope: Scope,
    scope_type: Kind = ScopeType.NAMESPACE,
    prefix: Annotated[str | None, typer.Option(help="Only keys that begin so.")] = None,
    after: Annotated[str | None, typer.Option(help="The last key of the page before.")] = None,
    limit: Limit = 100,
    form: Output = Form.TEXT,
) -> None:
    """List the keys of a scope, with their current versions.

    Example: kitaru memory list --scope team --prefix customers/
    """
    found = KitaruClient().memories.list(
        scope=scope, scope_type=scope_type.value, prefix=prefix, limit=limit, after=after
    )
    output.many("memory list", form, found, lambda: memory_views.entries(found))


def get(
    key: Key,
    scope: Scope,
    scope_type: Kind = ScopeType.NAMESPACE,
    version: Annotated[int | None, typer.Option(help="An earlier version.", min=1)] = None,
    form: Output = Form.TEXT,
) -> None:
    """Show the value of a key.

    Example: kitaru memory get customers/42/notes --scope team
    """
    client = KitaruClient()
    found = client.memories.get(key, scope=scope, scope_type=scope_type.value, version=version)
    if found is None:
        raise KitaruStateError(
            f"Memory {key!r} of {scope_type.value} {scope!r} has no value. "
            f"`kitaru memory history {key} --scope {scope} --scope-type {scope_type.value}` shows what it had."
        )
    value = _plain(client.artifacts.get(found.artifact_id).load(plain=True))
    item = {**found.model_dump(mode="json"), "value": value}
    output.one(
        "memory get", form, item, lambda: print(value if isinstance(value, str) else json.dumps(value))
    )


def set_value(
    key: Key,
    value: Annotated[str, typer.Argument(help="JSON, or with --text any text.")],
    scope: Scope,
    scope_type: Kind = ScopeType.NAMESPACE,
    text: Annotated[bool, typer.Option("--text", help="The value is the text as it stands.")] = False,
    expect_version: Annotated[
        int | None, typer.Option(help="Only if this is the current version; 0: only if there is none.", min=0)
    ] = None,
    form: Output = Form.TEXT,
) -> None:
    """Set a key: a new version.

    Example: kitaru memory set customers/42/notes '["prefers mail"]' --scope team
    """
    try:
        said: Any = value if text else json.loads(value)
    except json.JSONDecodeError as error:
        raise KitaruUsageError(f"The value is not JSON: {error}. Write JSON, or say --text.") from error
    found = KitaruClient().memories.set(
        key, said, scope=scope, scope_type=scope_type.value, expect_version=expect_version
    )
    output.one("memory set", form, found, lambda: print(f"{key} has version {found.version}."))


def delete(key: Key, scope: Scope, scope_type: Kind = ScopeType.NAMESPACE, form: Output = Form.TEXT) -> None:
    """Delete a key; its history stays.

    Example: kitaru memory delete customers/42/notes --scope team
    """
    found = KitaruClient().memories.delete(key, scope=scope, scope_type=scope_type.value)
    if found is None:
        raise KitaruStateError(f"Memory {key!r} of {scope_type.value} {scope!r} has no value to delete.")
    output.one(
        "memory delete", form, found, lambda: print(f"{key} is deleted as of version {found.version}.")
    )


def history(
    key: Key,
    scope: Scope,
    scope_type: Kind = ScopeType.NAMESPACE,
    before: Annotated[int | None, typer.Option(help="The last version of the page before.")] = None,
    limit: Limit = 100,
    form: Output = Form.TEXT,
) -> None:
    """Show the versions of a key, newest first, and who wrote them.

    Example: kitaru memory history customers/42/notes --scope team
    """
    found = KitaruClient().memories.history(
        key, scope=scope, scope_type=scope_type.value, limit=limit, before=before
    )
    output.many("memory history", form, found, lambda: memory_views.entries(found))


def search(
    query: Annotated[str, typer.Argument(help="Words that the key or the value must all have.")],
    scope: Annotated[str | None, typer.Option("--scope", "-s", help="Only there.")] = None,
    scope_type: Kind = ScopeType.NAMESPACE,
    limit: Limit = 20,
    form: Output = Form.TEXT,
) -> None:
    """Find keys by the words of their values.

    Example: kitaru memory search "green tea"
    """
    found = KitaruClient().memories.search(query, scope=scope, scope_type=scope_type.value, limit=limit)
    output.many("memory search", form, found, lambda: memory_views.entries(found))


def as_of(
    exec_id: ExecId,
    checkpoint: Annotated[
        str | None, typer.Option(help="A call of it, when it began; default: its end, or now.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Show what changed from then until this call began.")
    ] = None,
    form: Output = Form.TEXT,
) -> None:
    """Show the memory that an execution could see at a point of its run.

    Example: kitaru memory as-of kr-0123456789abcdef --checkpoint decide
    """
    memories = KitaruClient().memories
    if until is not None:
        changes = memories.changes(exec_id, checkpoint, until=until)
        output.many("memory as-of", form, changes, lambda: memory_views.changes(changes))
        return
    found = memories.as_of(exec_id, checkpoint)
    output.many("memory as-of", form, found, lambda: memory_views.entries(found))


Keep = Annotated[int | None, typer.Option(help="The newest versions to keep; default: none.", min=1)]


def purge(
    key: Key,
    scope: Scope,
    scope_type: Kind = ScopeType.NAMESPACE,
    keep: Keep = None,
    form: Output = Form.TEXT,
) -> None:
    """Delete versions of a key for good.

    Example: kitaru memory purge customers/42/notes --scope team --keep 5
    """
    done = KitaruClient().memories.purge(key, scope=scope, scope_type=scope_type.value, keep=keep)
    output.one("memory purge", form, done, lambda: memory_views.purged(done))


def purge_scope(
    scope: Scope,
    scope_type: Kind = ScopeType.NAMESPACE,
    keep: Keep = None,
    include_deleted: Annotated[
        bool, typer.Option("--include-deleted", help="Deleted keys too, as a whole.")
    ] = False,
    form: Output = Form.TEXT,
) -> None:
    """Delete versions of all keys of a scope for good.

    Example: kitaru memory purge-scope --scope team --keep 5 --include-deleted
    """
    done = KitaruClient().memories.purge_scope(
        scope=scope, scope_type=scope_type.value, keep=keep, include_deleted=include_deleted
    )
    output.one("memory purge-scope", form, done, lambda: memory_views.purged(done))


def compact(
    scope: Scope,
    keys: Annotated[list[str], typer.Argument(help="One key, or several with --target.")],
    scope_type: Kind = ScopeType.NAMESPACE,
    target: Annotated[str | None, typer.Option(help="The key to write; of one key, by default that.")] = None,
    with_history: Annotated[bool, typer.Option("--history", help="All versions of the one key.")] = False,
    instruction: Annotated[str | None, typer.Option(help="What the model is told to do.")] = None,
    model: Annotated[str | None, typer.Option(help="An alias, or provider/model.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The most that it may answer with.", min=1)] = None,
    form: Output = Form.TEXT,
) -> None:
    """Let a model write one value from one key, its history, or several keys. The sources stay.

    Example: kitaru memory compact customers/42/notes customers/42/calls --target customers/42/summary --scope team
    """
    one_key = keys[0] if len(keys) == 1 else None
    done = KitaruClient().memories.compact(
        scope=scope,
        scope_type=scope_type.value,
        key=one_key,
        keys=None if one_key else keys,
        source_mode="history" if with_history else "current",
        target_key=target,
        instruction=instruction,
        model=model,
        max_tokens=max_tokens,
    )
    told = f"{done.entry.key} has version {done.entry.version}, written from {done.sources_read} values."
    output.one("memory compact", form, done, lambda: print(told))


def compaction_log(
    scope: Annotated[str | None, typer.Option("--scope", "-s", help="Only there.")] = None,
    scope_type: Kind = ScopeType.NAMESPACE,
    limit: Limit = 100,
    form: Output = Form.TEXT,
) -> None:
    """Show all compactions and purges, newest first.

    Example: kitaru memory compaction-log --scope team
    """
    found = KitaruClient().memories.compaction_log(scope=scope, scope_type=scope_type.value, limit=limit)
    output.many("memory compaction-log", form, found, lambda: memory_views.log(found))


def _plain(value: Any) -> Any:
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, fallback=repr, bytes_mode="base64")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Look at what agents remember, and keep it in order.",
        rich_markup_mode="rich",
    )
    group.command("scopes")(scopes)
    group.command("list")(list_entries)
    group.command("get")(get)
    group.command("set")(set_value)
    group.command("delete")(delete)
    group.command("history")(history)
    group.command("search")(search)
    group.command("as-of")(as_of)
    group.command("purge")(purge)
    group.command("purge-scope")(purge_scope)
    group.command("compact")(compact)
    group.command("compaction-log")(compaction_log)
    app.add_typer(group, name="memory")
