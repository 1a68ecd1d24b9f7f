"""Where ``kitaru-mcp`` begins."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kitaru.backend import distrust_data
from kitaru.errors import KitaruError, KitaruUsageError

LOOPBACK = ("127.0.0.1", "::1", "localhost")

app = typer.Typer(
    add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=False
)


@app.command()
def serve(
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP, in place of stdio.")] = False,
    host: Annotated[str, typer.Option(help="With --http: the address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --http: the port; the path is /mcp.")] = 8700,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Leave out all tools that change anything.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Listen on more than this machine: anybody there has all tools.")
    ] = False,
) -> None:
    """Serve Kitaru to agents by the Model Context Protocol.

    Example: kitaru-mcp --read-only

    Example: kitaru-mcp --http --port 8700
    """
    if host not in LOOPBACK and not public:
        raise KitaruUsageError(
            f"{host} is not of this machine alone, and nobody is asked who they are: whoever reaches the port has all "
            "tools. Say --public (better with --read-only), or leave --host out."
        )
    # Nothing that a database holds is run in this process.
    distrust_data()
    from kitaru.mcp.server import make_server

    server = make_server(read_only=read_only)
    if not http:
        server.run()
        return
    print(f"kitaru-mcp: http://{host}:{port}/mcp", file=sys.stderr, flush=True)
    server.run("streamable-http", host=host, port=port)


def main() -> None:
    """Run the server; exit code 2 on bad usage, 1 on a failure."""
    try:
        app()
    except KitaruError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, KitaruUsageError) else 1)


if __name__ == "__main__":
    main()
