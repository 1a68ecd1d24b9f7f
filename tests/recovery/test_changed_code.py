"""``replay --from changed``: editing a helper runs exactly its callers again, and what depends on them."""

from __future__ import annotations

from tests.recovery.conftest import Stage

SCRIPT = """
from helpers import clean

@kitaru.checkpoint
def fetch(topic):
    ran("fetch")
    return f"raw {topic}"

@kitaru.checkpoint
def tidy(text):
    ran("tidy")
    return clean(text)

@kitaru.checkpoint
def count(text):
    ran("count")
    return len(text)

@kitaru.checkpoint
def title(topic):
    ran("title")
    return topic.title()

@kitaru.flow
def article(topic):
    tidied = tidy(fetch(topic))
    return title(topic), count(tidied)

if __name__ == "__main__":
    article.run("tea").wait()
"""

HELPERS = '''
def clean(text):
    """Tidy."""
    return text.strip()
'''


def test_only_what_a_change_reaches_runs_again(stage: Stage) -> None:
    stage.python.script(HELPERS, "helpers.py")
    process, exec_id = stage.start(SCRIPT)
    process.succeed()
    stage.python.script(HELPERS.replace("Tidy.", "Tidy well.") + "\n# a remark\n", "helpers.py")
    same = stage.client.executions.replay(exec_id, from_="changed")
    stage.until(same.exec_id, "completed")
    assert stage.ran() == ["fetch", "tidy", "title", "count"], "a docstring and a remark are no change"
    stage.python.script(HELPERS.replace("text.strip()", "text.strip() + '!'"), "helpers.py")
    changed = stage.client.executions.replay(exec_id, from_="changed")
    done = stage.until(changed.exec_id, "completed")
    assert stage.ran()[4:] == ["tidy", "count"]
    assert done.result is not None
    assert done.result.load() == ("Tea", len("raw tea!"))
    assert [c.name for c in done.checkpoints if c.cached_from] == ["fetch", "title"]
