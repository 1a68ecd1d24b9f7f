"""Tools for memory."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kitaru.client import KitaruClient
from kitaru.mcp.answers import Json, bounded, item, items

Key = Annotated[str, Field(description="The key: letters, digits and . _ - /")]
Scope = Annotated[str, Field(description="A namespace, a flow's name, or an execution's id.")]
ScopeType = Annotated[Literal["namespace", "flow", "execution"], Field(description="What the scope is.")]
Limit = Annotated[int, Field(description="The most to return.", ge=1, le=1000)]
Keep = Annotated[int | None, Field(description="The newest versions to keep; default: none.", ge=1)]


def kitaru_memory_list(
    scope: Scope,
    scope_type: ScopeType = "namespace",
    prefix: Annotated[str | None, Field(description="Only keys that begin so.")] = None,
    after: Annotated[
        str | None, Field(description="For the next page: the last key of the page before.")
    ] = None,
    limit: Limit = 100,
) -> list[Json]:
    """List the keys of a scope with their current versions and previews."""
    return items(
        KitaruClient().memories.list(
            scope=scope, scope_type=scope_type, prefix=prefix, limit=limit, after=after
        )
    )


def kitaru_memory_get(
    key: Key,
    scope: Scope,
    scope_type: ScopeType = "namespace",
    version: Annotated[int | None, Field(description="An earlier version.", ge=1)] = None,
) -> Json:
    """Show the value of a key; ``found`` is false where it has none."""
    client = KitaruClient()
    found = client.memories.get(key, scope=scope, scope_type=scope_type, version=version)
    if found is None:
        return {"found": False, "key": key}
    value = bounded(client.artifacts.get(found.artifact_id).load(plain=True))
    return {"found": True} | item(found, "preview") | value


def kitaru_memory_set(
    key: Key,
    value: Annotated[Any, Field(description="Any JSON value.")],
    scope: Scope,
    scope_type: ScopeType = "namespace",
    expect_version: Annotated[
        int | None, Field(description="Only if this is the current version; 0: only if there is none.", ge=0)
    ] = None,
) -> Json:
    """Set a key: a new version."""
    written = KitaruClient().memories.set(
        key, value, scope=scope, scope_type=scope_type, expect_version=expect_version
    )
    return item(written)


def kitaru_memory_delete(key: Key, scope: Scope, scope_type: ScopeType = "namespace") -> Json:
    """Delete a key; its history stays. ``deleted`` is false where there was nothing to delete."""
    written = KitaruClient().memories.delete(key, scope=scope, scope_type=scope_type)
    return {"deleted": False, "key": key} if written is None else {"deleted": True} | item(written)


def kitaru_memory_history(
    key: Key,
    scope: Scope,
    scope_type: ScopeType = "namespace",
    before: Annotated[
        int | None, Field(description="For the next page: the last version of the page before.")
    ] = None,
    limit: Limit = 100,
) -> list[Json]:
    """Show the versions of a key, newest first, and who wrote them."""
    return items(
        KitaruClient().memories.history(key, scope=scope, scope_type=scope_type, limit=limit, before=before)
    )


def kitaru_memory_as_of(
    exec_id: Annotated[str, Field(description="The execution's id.")],
    checkpoint: Annotated[
        str | None, Field(description="A call's id or name: when it began. Default: the end, or now.")
    ] = None,
) -> list[Json]:
    """Show the memory that an execution could see at a point of its run."""
    return items(KitaruClient().memories.as_of(exec_id, checkpoint))


def kitaru_memory_purge(
    key: Key, scope: Scope, scope_type: ScopeType = "namespace", keep: Keep = None
) -> Json:
    """Delete versions of a key for good. Audited."""
    return item(KitaruClient().memories.purge(key, scope=scope, scope_type=scope_type, keep=keep))


def kitaru_memory_purge_scope(
    scope: Scope,
    scope_type: ScopeType = "namespace",
    keep: Keep = None,
    include_deleted: Annotated[bool, Field(description="Deleted keys too, as a whole.")] = False,
) -> Json:
    """Delete versions of all keys of a scope for good. Audited."""
    return item(
        KitaruClient().memories.purge_scope(
            scope=scope, scope_type=scope_type, keep=keep, include_deleted=include_deleted
        )
    )


def kitaru_memory_compact(
    scope: Scope,
    scope_type: ScopeType = "namespace",
    key: Annotated[str | None, Field(description="The key to compact.")] = None,
    keys: Annotated[list[str] | None, Field(description="Several keys in place of key.")] = None,
    source_mode: Annotated[
        Literal["current", "history"],
        Field(description="The current values, or all versions of the one key."),
    ] = "current",
    target_key: Annotated[
        str | None, Field(description="The key to write; of one key, by default that.")
    ] = None,
    instruction: Annotated[str | None, Field(description="What the model is told to do.")] = None,
    model: Annotated[str | None, Field(description="An alias, or provider/model.")] = None,
    max_tokens: Annotated[int | None, Field(description="The most that it may answer with.", ge=1)] = None,
) -> Json:
    """Let a model write one value from one key, its history, or several keys. The sources stay. Costs a model call."""
    done = KitaruClient().memories.compact(
        scope=scope,
        scope_type=scope_type,
        key=key,
        keys=keys,
        source_mode=source_mode,
        target_key=target_key,
        instruction=instruction,
        model=model,
        max_tokens=max_tokens,
    )
    return item(done)


def kitaru_memory_compaction_log(
    scope: Annotated[str | None, Field(description="Only there.")] = None,
    scope_type: ScopeType = "namespace",
    limit: Limit = 100,
) -> list[Json]:
    """Show all compactions and purges, newest first."""
    return items(KitaruClient().memories.compaction_log(scope=scope, scope_type=scope_type, limit=limit))
