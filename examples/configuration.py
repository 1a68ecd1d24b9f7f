"""Defaults for the process, the decorator, and one run: the nearest counts."""

import kitaru


@kitaru.checkpoint
def count(word: str) -> int:
    """Say when it really runs."""
    print(f"counting {word}")
    return len(word)


@kitaru.flow
def measure(word: str) -> int:
    """Cached when the settings say so."""
    return count(word)


if __name__ == "__main__":
    kitaru.configure(cache=True, retries=1)
    print(measure.run("durable").wait())
    print(measure.run("durable").wait())
    print(measure.run("durable", cache=False).wait())
