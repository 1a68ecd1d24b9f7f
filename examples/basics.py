"""A flow and two checkpoints."""

from kitaru import checkpoint, flow


@checkpoint
def fetch(topic: str) -> str:
    """Pretend to pay for some notes."""
    return f"notes on {topic}"


@checkpoint(retries=2)
def summarise(notes: str) -> str:
    """Pretend to pay for a summary."""
    return notes.upper()


@flow
def research(topic: str) -> str:
    """Ordinary Python; each checkpoint's output is on disk before the next line runs."""
    return summarise(fetch(topic))


if __name__ == "__main__":
    handle = research.run("durable agents")
    print(handle.wait())
    print(handle.status.value)
