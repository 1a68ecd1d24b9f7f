"""A secret that is printed piece by piece is redacted in the log."""

from __future__ import annotations

import sys
from pathlib import Path

import kitaru
from kitaru import KitaruClient
from kitaru.logs import LONGEST_LINE

VALUE = "Zq7-Wx9-Kv3-Jh5"


@kitaru.checkpoint
def say() -> None:
    value = kitaru.get_secret("mail")["PASSWORD"]
    sys.stdout.write("." * (LONGEST_LINE - 3) + value[:6])
    for character in value[6:]:
        sys.stdout.write(character)
    print(" said")
    print(value, value[:3] + value[3:], sep="\n")


@kitaru.flow
def saying() -> None:
    say()


def test_what_is_written_in_pieces(kitaru_home: Path) -> None:
    client = KitaruClient()
    client.secrets.set("mail", {"PASSWORD": VALUE})
    handle = saying.run()
    handle.wait()
    said = [entry.message for entry in client.executions.logs(handle.exec_id)]
    text = "".join(said)
    assert text.startswith("." * 100)
    assert text.count("***") == 3
    for part in (VALUE[:4], VALUE[-4:], "Wx9"):
        assert part not in text
