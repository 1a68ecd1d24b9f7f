"""One durable call: its identity and inputs, what its body did, and the record of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

from kitaru.engine.backoff import Backoff
from kitaru.engine.code_digest import code_digest
from kitaru.engine.origins import Origins
from kitaru.engine.trails import Trail
from kitaru.engine.vault import EMBEDDED_BYTES, Vault
from kitaru.errors import KitaruUsageError
from kitaru.payloads import encode, immutable, is_opaque
from kitaru.redaction import redactor
from kitaru.store.records import ArtifactRecord, Blob, CallRecord, JsonDict, LinkRecord, payload_to_json

OPAQUE_PREVIEW = 200


@dataclass(frozen=True)
class EffectPolicy:
    """What is done when nobody knows whether an effect happened.

    Attributes:
        on_unknown: ``ask`` a person, ``retry`` with the same idempotency key, or ``fail`` the call.
        safe_errors: exceptions after which the effect is known not to have happened.
        reconcile: asked first, with the idempotency key: the effect's result, or None when it did not happen.
    """

    on_unknown: str = "ask"
    safe_errors: tuple[type[Exception], ...] = ()
    reconcile: Callable[[str], Any] | None = None

    @property
    def retries_unknown(self) -> bool:
        """True when an attempt with an unknown outcome may simply be repeated."""
        return self.on_unknown == "retry" and self.reconcile is None


def idempotency_key(exec_id: str, call_id: str) -> str:
    """A key for outside systems: the same on every attempt of the call, over crashes too, and no other call's."""
    return "kit-" + blake2b(f"{exec_id}/{call_id}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class CallSpec:
    """A checkpoint as the engine runs it. Times are in seconds; ``retries`` counts the attempts after the first."""

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature
    is_async: bool
    retries: int = 0
    backoff: Backoff = field(default_factory=Backoff)
    timeout: float | None = None
    label: str | None = None
    cache: bool | None = None
    effect: EffectPolicy | None = None
    fixed_code: str | None = None
    """What stands for the code of a body that is Kitaru's own."""

    @cached_property
    def plain_parameters(self) -> tuple[str, ...]:
        """The parameters, when each takes one positional argument; else none."""
        plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = self.signature.parameters
        return tuple(parameters) if all(p.kind in plain for p in parameters.values()) else ()

    @cached_property
    def code(self) -> str:
        """The code's digest; ``?…`` when something it reaches could not be resolved, which never counts as equal."""
        if self.fixed_code is not None:
            return self.fixed_code
        found = code_digest(self.function)
        return found.digest if found.resolved else f"?{found.digest}"


@dataclass(slots=True)
class Call:
    """A call that the flow made: numbered, its inputs bound and digested, its body not yet run."""

    call_id: str
    position: int
    kind: str
    name: str
    inputs: JsonDict | None = None
    blobs: list[Blob] = field(default_factory=list[Blob])
    spec: CallSpec | None = None
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    site: int = -1
    how: int = 0
    trail: Trail | None = None
    conditions: Sequence[str] = ()

    @property
    def code(self) -> str | None:
        """The digest of the code behind the call, for checkpoints."""
        return self.spec.code if self.spec else None


@dataclass(slots=True)
class Outcome:
    """What a body did: a value, or the exception it raised. ``unknown``: an effect may have happened all the same.

    ``learnt``: who said what became of an effect (``"answer"``, ``"reconcile"``) whose body ran elsewhere.
    """

    value: Any = None
    error: BaseException | None = None
    attempts: int = 1
    started_at: float = 0.0
    ended_at: float = 0.0
    unknown: bool = False
    learnt: str | None = None
    metadata: JsonDict = field(default_factory=dict[str, Any])
    usage: JsonDict = field(default_factory=dict[str, Any])
    artifacts: Sequence[ArtifactRecord] = ()
    blobs: Sequence[Blob] = ()
    links: Mapping[str, LinkRecord] = field(default_factory=dict[str, LinkRecord])


def bind(
    spec: CallSpec, args: tuple[Any, ...], kwargs: dict[str, Any], vault: Vault, origins: Origins
) -> tuple[JsonDict, list[Blob], tuple[Any, ...], dict[str, Any]]:
    """Bind arguments to parameters, digest them, and copy the mutable ones.

    The body works on copies, so that what it does to an argument is as invisible on the first run as on a resume.
    Raises ``KitaruUsageError`` when the arguments do not fit the signature.
    """
    inputs: JsonDict = {}
    blobs: list[Blob] = []
    if not kwargs and len(args) == len(spec.plain_parameters):
        # What ``bind`` would do, at a fifth of its cost: this is on the way of every checkpoint.
        copies: list[Any] = []
        for parameter, value in zip(spec.plain_parameters, args, strict=True):
            inputs[parameter], copied = input_form(value, vault, origins, blobs)
            copies.append(copied)
        return inputs, blobs, tuple(copies), kwargs
    try:
        bound = spec.signature.bind(*args, **kwargs)
    except TypeError as error:
        raise KitaruUsageError(
            f"Checkpoint {spec.name!r} was called with wrong arguments: {error}. Its signature is "
            f"{spec.name}{spec.signature}."
        ) from error
    bound.apply_defaults()
    for parameter, value in bound.arguments.items():
        inputs[parameter], copied = input_form(value, vault, origins, blobs)
        bound.arguments[parameter] = copied
    return inputs, blobs, bound.args, bound.kwargs


def input_form(value: Any, vault: Vault, origins: Origins, blobs: list[Blob]) -> tuple[JsonDict, Any]:
    """An input as it stands in the journal, and a copy for the body; what is kept beside it goes to ``blobs``."""
    try:
        encoded = encode(value, allow_pickle=False)
    except KitaruUsageError:
        # Cannot be said without pickle: shown, but not compared, not copied and never cached.
        return {
            "d": "",
            "o": 1,
            "t": type(value).__qualname__,
            "p": redactor.text(repr(value))[:OPAQUE_PREVIEW],
        }, value
    source = origins.calls.get(encoded.digest)
    if source is not None:
        form: JsonDict = {
            "d": encoded.digest,
            "c": encoded.codec,
            "n": encoded.size,
            "t": encoded.type,
            "m": encoded.media_type,
            "l": "call",
            "f": [source],
        }
        if encoded.preview is not None:
            # The call that it came from has the whole preview.
            form["p"] = encoded.preview[:OPAQUE_PREVIEW]
    else:
        payload, kept = vault.keep(encoded, inline=EMBEDDED_BYTES)
        form = payload_to_json(payload)
        blobs.extend(kept)
        given = origins.inputs.get(encoded.digest)
        held = [given] if given is not None else origins.inside(value, encoded.size)
        if held:
            form["e"] = held
    if is_opaque(encoded):
        form["o"] = 1
    if immutable(value):
        return form, value
    return form, vault.decode_encoded(encoded)


def cache_key(flow_name: str, call: Call) -> str | None:
    """What makes two calls of a flow equal: name, code and inputs; None when one of them cannot be compared."""
    code = call.code
    if code is None or code.startswith("?"):
        return None
    digest = blake2b(digest_size=20)
    digest.update(f"{flow_name}\0{call.name}\0{code}".encode())
    for parameter, form in (call.inputs or {}).items():
        if form.get("o"):
            return None
        digest.update(f"\0{parameter}={form['d']}".encode())
    return digest.hexdigest()


def adopted_info(info: JsonDict | None, call: Call) -> JsonDict | None:
    """What is said of a call that another execution's record answers: what decided on it is its own."""
    own = {key: value for key, value in (info or {}).items() if key != "if"}
    if call.conditions:
        own["if"] = call.conditions
    return own or None


def ended_record(call: Call, outcome: Outcome, key: str | None) -> CallRecord:
    """The record of a call that ended, without its output or error."""
    info: JsonDict = {}
    if call.spec and call.spec.label:
        info["type"] = call.spec.label
    if call.spec and call.spec.effect:
        info["effect"] = call.spec.effect.on_unknown
    if outcome.learnt:
        info["learnt"] = outcome.learnt
    if outcome.usage:
        info["usage"] = outcome.usage
    if call.conditions:
        info["if"] = call.conditions
    if outcome.metadata:
        info["metadata"] = outcome.metadata
    return CallRecord(
        seq=0,
        call_id=call.call_id,
        position=call.position,
        kind=call.kind,
        name=call.name,
        status="completed" if outcome.error is None else "failed",
        attempts=outcome.attempts,
        inputs=call.inputs,
        code_digest=call.code,
        cache_key=key,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
        info=info or None,
    )
