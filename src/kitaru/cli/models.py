"""``kitaru model``: register, list, delete."""

from __future__ import annotations

from typing import Annotated

import typer

from kitaru.cli import output
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient


def _known() -> list[str]:
    return [model.alias for model in KitaruClient().models.list()]


Alias = Annotated[str, typer.Argument(help="The name.", autocompletion=_known)]


def register_alias(
    alias: Alias,
    model: Annotated[str, typer.Option(help="provider/model, for example google/gemini-2.5-flash.")],
    secret: Annotated[str | None, typer.Option(help="The secret with the provider's key.")] = None,
    fallback: Annotated[
        list[str] | None, typer.Option(help="What to ask when it fails; may be given several times.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Where its API is served: a proxy, or an OpenAI-compatible server.")
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Ask it where no model is named.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Give a model a name, for kitaru.llm(model=NAME).

    Example: kitaru model register fast --model google/gemini-2.5-flash --secret google --fallback openai/gpt-5-mini
    """
    found = KitaruClient().models.register(alias, model, secret, fallback or (), base_url, default)
    output.one("model register", form, found, lambda: print(f"{alias} is {model}."))


def list_aliases(form: Output = Form.TEXT) -> None:
    """List the names of models.

    Example: kitaru model list
    """
    found = KitaruClient().models.list()

    def show() -> None:
        if not found:
            print("No names yet. Give one: kitaru model register NAME --model provider/model")
            return
        columns = ["name", "model", "secret", "fallback", "base url", "default"]
        rows = [
            (m.alias, m.model, m.secret, ", ".join(m.fallback), m.base_url, "yes" if m.is_default else "")
            for m in found
        ]
        output.table("", columns, rows)

    output.many("model list", form, found, show)


def delete(alias: Alias, form: Output = Form.TEXT) -> None:
    """Take a name back.

    Example: kitaru model delete fast
    """
    KitaruClient().models.delete(alias)
    output.one("model delete", form, {"alias": alias}, lambda: print(f"{alias} is no model's name any more."))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Name the models that flows ask.", rich_markup_mode="rich")
    group.command("register")(register_alias)
    group.command("list")(list_aliases)
    group.command("delete")(delete)
    app.add_typer(group, name="model")
