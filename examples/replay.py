"""Run an execution again from a checkpoint, with another output or another input."""

import kitaru


@kitaru.checkpoint
def research(topic: str) -> str:
    """The expensive step."""
    print("researching")
    return f"notes on {topic}"


@kitaru.checkpoint
def write(notes: str, tone: str) -> str:
    """The cheap one."""
    return f"{tone} text from {notes}"


@kitaru.flow
def article(topic: str, tone: str = "dry") -> str:
    """Research, then write."""
    return write(research(topic), tone)


if __name__ == "__main__":
    original = article.run("tea")
    print(original.wait())
    print(article.replay(original.exec_id, from_="write", tone="warm").wait())
    print(article.replay(original.exec_id, overrides={"checkpoint.research": "better notes"}).wait())
