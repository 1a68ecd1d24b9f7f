"""Names for models: which model a name stands for, which secret has its key, and what to ask when it fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kitaru import settings
from kitaru.backend import backend
from kitaru.engine.run import Run
from kitaru.errors import KitaruUsageError
from kitaru.store.registry_records import ModelRecord

__all__ = ["ModelChoice", "ResolvedModelSelection", "register_model_alias", "resolve_model_selection"]

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SPEC_KEY = "models"


@dataclass(frozen=True, slots=True)
class ResolvedModelSelection:
    """What a model's name stands for.

    Attributes:
        requested_model: what was asked for; None: the default.
        alias: the alias that it was found under; None for a plain ``provider/model``.
        resolved_model: ``provider/model``.
        secret: the name of the secret with its key; None: from the environment.
    """

    requested_model: str | None
    alias: str | None
    resolved_model: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model to ask, and how to reach it."""

    model: str
    secret: str | None = None
    base_url: str | None = None

    @property
    def provider(self) -> str:
        """What stands before the first slash."""
        return self.model.partition("/")[0]

    @property
    def name(self) -> str:
        """The model's name with its provider."""
        return self.model.partition("/")[2]


@dataclass(frozen=True, slots=True)
class ModelAliases:
    """The aliases as they stood at one moment."""

    default: str | None = None
    known: Mapping[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def resolve(self, requested: str | None) -> ResolvedModelSelection:
        """See ``resolve_model_selection``."""
        wanted = requested or self.default
        if not wanted:
            raise KitaruUsageError(
                "No model was named and there is no default. Write model=, set KITARU_DEFAULT_MODEL, or type "
                "`kitaru model register default --model anthropic/claude-sonnet-5 --default`."
            )
        entry = self.known.get(wanted)
        if entry is not None:
            return ResolvedModelSelection(requested, wanted, entry["model"], entry.get("secret"))
        check_model(wanted, self.known)
        return ResolvedModelSelection(requested, None, wanted, None)

    def chain(self, requested: str | None) -> list[ModelChoice]:
        """The model, then what is asked when it fails."""
        choices: list[ModelChoice] = []
        names = [requested]
        seen: set[str | None] = set()
        for name in names:
            if name in seen:
                continue
            seen.add(name)
            found = self.resolve(name)
            entry = self.known.get(found.alias or "", {})
            choices.append(ModelChoice(found.resolved_model, found.secret, entry.get("base_url")))
            names += entry.get("fallback") or []
        return choices

    def to_json(self) -> dict[str, Any]:
        """The form in an execution's spec."""
        return {"default": self.default, "known": dict(self.known)}


def check_model(model: str, known: Iterable[str] = ()) -> None:
    """Raise ``KitaruUsageError`` unless ``model`` reads ``provider/model``."""
    provider, slash, name = model.partition("/")
    if not slash or not provider or not name:
        aliases = ", ".join(sorted(known)) or "none yet"
        raise KitaruUsageError(
            f"There is no model alias {model!r}; registered: {aliases}. Write provider/model, for example "
            f"anthropic/claude-sonnet-5, or `kitaru model register {model} --model provider/model`."
        )


def current_aliases() -> ModelAliases:
    """The aliases as they are registered now; the setting ``default_model`` (KITARU_DEFAULT_MODEL) goes first."""
    default = settings.setting("default_model")
    known: dict[str, dict[str, Any]] = {}
    for record in backend().store.registry.models():
        said = {
            "model": record.model,
            "secret": record.secret,
            "fallback": record.fallback,
            "base_url": record.base_url,
        }
        known[record.alias] = {name: value for name, value in said.items() if value}
        if record.is_default and not default:
            default = record.alias
    return ModelAliases(default, known)


def aliases_of(run: Run) -> ModelAliases:
    """The aliases of an execution: those at its first model call, whatever is registered later."""
    form = run.execution.spec.get(_SPEC_KEY)
    if form is None:
        form = current_aliases().to_json()
        run.pin({_SPEC_KEY: form})
    return ModelAliases(form["default"], form["known"])


def register_model_alias(
    alias: str,
    *,
    model: str,
    secret: str | None = None,
    fallback: Iterable[str] = (),
    base_url: str | None = None,
    default: bool = False,
) -> None:
    """Give a model a name, or another model that name. Executions that have asked it already keep what they had.

    Args:
        alias: letters, digits, ``. _ -``.
        model: ``provider/model``, for example ``google/gemini-2.5-flash``.
        secret: the name of the secret with the provider's key; None: from the environment.
        fallback: aliases or models to ask, in order, when this one fails.
        base_url: where the provider's API is served, for an OpenAI-compatible server or a proxy.
        default: ask this one where no model is named.

    Raises:
        KitaruUsageError: for an alias or a model that cannot be.

    Example:
        >>> # register_model_alias("fast", model="google/gemini-2.5-flash", secret="google")
    """
    if not _ALIAS.fullmatch(alias):
        raise KitaruUsageError(f"An alias has letters, digits, '.', '_' and '-', and no {alias!r}.")
    check_model(model)
    chain = list(fallback)
    known = {record.alias for record in backend().store.registry.models()} | {alias}
    for one in chain:
        if one not in known:
            check_model(one, known)
    backend().store.registry.put_model(ModelRecord(alias, model, secret, chain, base_url, default))


def resolve_model_selection(model: str | None = None) -> ResolvedModelSelection:
    """What a name stands for now: an alias, a ``provider/model``, or (None) the default.

    Raises:
        KitaruUsageError: for an unknown alias, or no name and no default.

    Example:
        >>> resolve_model_selection("openai/gpt-5").resolved_model
        'openai/gpt-5'
    """
    return current_aliases().resolve(model)
