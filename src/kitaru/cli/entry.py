"""Where ``kitaru`` begins. The version is told before anything heavy is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from kitaru import __version__

        print(f"kitaru {__version__}")
        return
    from kitaru.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()
