"""``kitaru secrets``: set, list, show, delete."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kitaru.cli import output
from kitaru.cli.output import Form, Output
from kitaru.client import KitaruClient
from kitaru.errors import KitaruUsageError
from kitaru.models import Secret

Name = Annotated[str, typer.Argument(metavar="NAME", help="The secret.")]


def set_secret(context: typer.Context, name: Name, form: Output = Form.TEXT) -> None:
    """Keep values under a name, encrypted. Values that are there and not named stay.

    --KEY=value gives one; --KEY=- reads it from stdin and --KEY asks for it, so that it stays out of the shell's
    history.

    Example: kitaru secrets set openai --OPENAI_API_KEY=-
    """
    secret = KitaruClient().secrets.set(name, _values(context.args))
    output.one("secrets set", form, secret, lambda: _show(secret))


def _values(arguments: list[str]) -> dict[str, str]:
    """What was given, read and asked for. No message repeats an argument that may be a value."""
    given: dict[str, str | None] = {}
    for argument in arguments:
        key, sign, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not key:
            raise KitaruUsageError(
                "secrets set: write values as --KEY=value, --KEY=- (from stdin) or --KEY (asked for)."
            )
        if key in given:
            raise KitaruUsageError(f"secrets set: {key} is given twice.")
        given[key] = value if sign else None
    from_stdin = [key for key, value in given.items() if value == "-"]
    if len(from_stdin) > 1:
        raise KitaruUsageError(f"secrets set: stdin has one value, and {', '.join(from_stdin)} want it.")
    return {key: _value(key, value) for key, value in given.items()}


def _value(key: str, given: str | None) -> str:
    if given == "-":
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise KitaruUsageError(
            f"secrets set: there is no terminal to ask for {key}. Write --{key}=- and pipe it in."
        )
    return str(typer.prompt(key, hide_input=True, err=True))


def list_secrets(form: Output = Form.TEXT) -> None:
    """List secrets and the names of their keys.

    Example: kitaru secrets list
    """
    found = KitaruClient().secrets.list()

    def show() -> None:
        if found:
            rows = [(secret.name, ", ".join(secret.keys), output.ago(secret.updated_at)) for secret in found]
            output.table("", ["secret", "keys", "changed"], rows)
        else:
            print("No secrets. Set one with: kitaru secrets set NAME --KEY=-")

    output.many("secrets list", form, found, show)


def show(
    name: Name,
    show_values: Annotated[bool, typer.Option("--show-values", help="Decrypt and print the values.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Show the names of a secret's keys.

    Example: kitaru secrets show openai --show-values
    """
    secret = KitaruClient().secrets.get(name, show_values)
    output.one("secrets show", form, secret, lambda: _show(secret))


def _show(secret: Secret) -> None:
    for key in secret.keys:
        print(key if secret.values is None else f"{key}={secret.values[key]}")


def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    form: Output = Form.TEXT,
) -> None:
    """Remove a secret.

    Example: kitaru secrets delete openai --yes
    """
    client = KitaruClient()
    secret = client.secrets.get(name)
    if not yes:
        typer.confirm(f"Remove secret {name} with {', '.join(secret.keys)}?", abort=True, err=True)
    client.secrets.delete(name)
    output.one("secrets delete", form, secret, lambda: print(f"Removed {name}"))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True, help="Keep keys and passwords, encrypted.", rich_markup_mode="rich"
    )
    free = {"allow_extra_args": True, "ignore_unknown_options": True}
    group.command("set", context_settings=free)(set_secret)
    group.command("list")(list_secrets)
    group.command("show")(show)
    group.command("delete")(delete)
    app.add_typer(group, name="secrets")
