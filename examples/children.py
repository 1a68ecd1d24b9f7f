"""A flow that starts another: the child is started once, over any kill."""

import kitaru


@kitaru.checkpoint
def length(word: str) -> int:
    """One unit of work."""
    return len(word)


@kitaru.flow
def measure(word: str) -> int:
    """The child."""
    return length(word)


@kitaru.flow
def compare(left: str, right: str) -> str:
    """The parent: starts both, then waits for both."""
    handles = [measure.run(left), measure.run(right)]
    first, second = (handle.wait() for handle in handles)
    return left if first >= second else right


if __name__ == "__main__":
    print(compare.run("durable", "agent").wait())
