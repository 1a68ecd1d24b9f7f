"""The tree of ``kitaru artifacts lineage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitaru.models import ArtifactRef, Lineage, LineageEdge

if TYPE_CHECKING:
    from rich.tree import Tree

_Line = tuple[str, "Tree", list[LineageEdge], str]
"""An artifact, where to draw it, the edges that lead there, and its arrow."""

PREVIEW = 60
SHOWN_KINDS = {"call": "", "argument": "", "result": "", "part": "held in it"}


def draw(found: Lineage, depth: int) -> None:
    """Print the tree; ``depth`` is what it was cut at, if it was.

    A run of single sources stands on one level, each marked with an arrow; what was drawn before is only named.
    """
    from rich.console import Console

    Console().print(_Drawing(found).tree())
    if any(edge.inferred for edge in found.edges):
        print("~ is inferred, from the flow's source or from an equal small value")
    if found.cut:
        way = " --direction down" if found.direction == "down" else ""
        print(f"It goes on. More: kitaru artifacts lineage '{found.root}'{way} --depth {2 * depth}")


class _Drawing:
    def __init__(self, found: Lineage) -> None:
        self._found = found
        self._next: dict[str, list[LineageEdge]] = {}
        for edge in found.edges:
            self._next.setdefault(edge.target if found.direction == "up" else edge.source, []).append(edge)

    def _beyond(self, edge: LineageEdge) -> str:
        return edge.source if self._found.direction == "up" else edge.target

    def tree(self) -> Tree:
        """The whole, built without recursion: a chain may be thousands of calls long."""
        from rich.text import Text
        from rich.tree import Tree

        def text(told: str) -> Text:
            return Text(told, no_wrap=True, overflow="ellipsis")

        root = Tree(text(self._told(self._found.root, None, "")))
        drawn = {self._found.root}
        # What is drawn next is at the end.
        waiting = self._below(self._found.root, root, root, drawn)
        while waiting:
            here, under, edges, arrow = waiting.pop()
            seen = here in drawn and bool(self._next.get(here))
            branch = under.add(text(arrow + self._line(here, edges, seen=seen)))
            if not seen:
                drawn.add(here)
                waiting += self._below(here, branch, under, drawn)
        return root

    def _below(self, here: str, branch: Tree, follow: Tree, drawn: set[str]) -> list[_Line]:
        """What is to stand under an artifact, the last first. The only one that goes on stands beside it instead."""
        steps = [self._step(edge) for edge in self._next.get(here, [])]
        leading = [step for step in steps if step[0] not in drawn and self._next.get(step[0])]
        if len(leading) != 1 or branch is follow:
            return [(there, branch, edges, "") for there, edges in reversed(steps)]
        (chain,) = leading
        arrow = "↑ " if self._found.direction == "up" else "↓ "
        beside: _Line = (chain[0], follow, chain[1], arrow)
        return [
            beside,
            *((there, branch, edges, "") for there, edges in reversed(steps) if edges != chain[1]),
        ]

    def _step(self, edge: LineageEdge) -> tuple[str, list[LineageEdge]]:
        """The artifact behind an edge; through an argument with one source to that source itself."""
        there = self._beyond(edge)
        ref, further = self._found.artifacts.get(there), self._next.get(there, [])
        if ref is not None and ref.kind == "input" and len(further) == 1:
            return self._beyond(further[0]), [edge, further[0]]
        return there, [edge]

    def _line(self, here: str, edges: list[LineageEdge], *, seen: bool) -> str:
        marks = [mark for edge in edges if (mark := SHOWN_KINDS.get(edge.kind, edge.kind))]
        sign = "~ " if any(edge.inferred for edge in edges) else ""
        through = ""
        if len(edges) == 2:
            passed = self._found.artifacts[self._beyond(edges[0])]
            through = f"{passed.name} {'<-' if self._found.direction == 'up' else '->'} "
        before = edges[0].target if self._found.direction == "up" else edges[0].source
        told = ", ".join([*marks, "above"] if seen else marks)
        return f"{sign}{through}{self._told(here, before, f' ({told})' if told else '')}"

    def _told(self, here: str, before: str | None, marks: str) -> str:
        exec_id, _, where = here.partition("/")
        elsewhere = "" if before is not None and before.partition("/")[0] == exec_id else f"{exec_id} "
        ref = self._found.artifacts.get(here)
        if ref is None:
            return f"{elsewhere}{where}{marks}: gone, its execution was deleted"
        return f"{elsewhere}{_name(ref, where)}{marks}  {ref.type}  {_preview(ref)}"


def _name(ref: ArtifactRef, where: str) -> str:
    if where == "/result":
        return "result"
    call, _, name = where.partition("/saved/")
    if name:
        return f"{call} saved {ref.name}"
    if ref.kind == "input":
        return where.replace("/input/", " ") if call != f"/input/{ref.name}" else f"flow input {ref.name}"
    return where.removesuffix("/output")


def _preview(ref: ArtifactRef) -> str:
    text = " ".join((ref.preview or "").split())
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"
