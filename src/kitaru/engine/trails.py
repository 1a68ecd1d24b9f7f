"""Where in the flow's source its calls were made, and so which of them reach an argument that the flow has worked on.

This only adds to what people read: identities, digests and what a resume compares do not depend on it.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Collection
from functools import cached_property
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from kitaru.engine.flow_source import NOWHERE, FlowSource, source_of
from kitaru.engine.origins import EDGES, Origins

if TYPE_CHECKING:
    from kitaru.engine.calls import Call
    from kitaru.engine.expressions import Atom, Site, Value
    from kitaru.store.records import JsonDict

RECENT = 512
FRAMES = 64
SINGLE, SEVERAL, WITHIN, TASK = range(4)
"""How a site made a call: itself; itself, with others (``map``); in a function that it called; in a task it began."""


class Entry(NamedTuple):
    """A call that was made at a site."""

    position: int
    site: int
    call_id: str
    how: int


class Trail:
    """The recent calls of one line of control. ``parent``: of the one that began it, at ``site``."""

    __slots__ = ("latest", "parent", "recent", "site")

    def __init__(self, parent: Trail | None = None) -> None:
        self.parent = parent
        self.site = NOWHERE
        self.latest: dict[int, tuple[Entry, Entry | None]] = {}
        self.recent: deque[Entry] = deque(maxlen=RECENT)

    def add(self, entry: Entry) -> None:
        """A call is made; it also is one of the task's that this line of control is, for who began it."""
        if entry.site != NOWHERE:
            before = self.latest.get(entry.site)
            self.latest[entry.site] = entry, before and before[0]
            self.recent.append(entry)
        if self.parent is not None:
            self.parent.add(entry._replace(site=self.site, how=TASK))

    def calls(self, site: int, members: Collection[int], position: int) -> list[Entry]:
        """The calls of a site before ``position`` that count: those of the last run through ``members``, if any,
        else the latest.
        """
        last = self.latest.get(site)
        if last is None:
            return [] if self.parent is None else self.parent.calls(site, members, position)
        if not members:
            # The newest is often the very call that asks: ``x = step(x)``.
            newest = last[0] if last[0].position < position else last[1]
            if newest is not None and newest.how == SINGLE and newest.position < position:
                return [newest]
        found: list[Entry] = []
        inside = False
        for entry in reversed(list(self.recent)):
            if entry.position >= position:
                continue
            if entry.site in (members or (site,)):
                inside = True
                if entry.site == site:
                    found.append(entry)
                    if not members and entry.how == SINGLE:
                        break
            elif inside and entry.how != TASK:
                break
        return found[:EDGES]


class Trails:
    """What a run's own source says about its calls."""

    def __init__(self, function: Callable[..., Any], inputs: Collection[str], origins: Origins) -> None:
        self._function = function
        self._inputs = inputs
        self._origins = origins
        self.root = Trail()
        self._plans: dict[tuple[int, int, str], _Plan] = {}
        self._hows: dict[int, tuple[CodeType, int]] = {}

    @cached_property
    def _source(self) -> FlowSource | None:
        return source_of(self._function)

    def note(self, trail: Trail, call: Call) -> None:
        """A call is made now, somewhere below this function's caller."""
        site, how = self._place()
        trail.add(Entry(call.position, site, call.call_id, how))
        call.site, call.trail, call.how = site, trail, how

    def begin(self, trail: Trail) -> None:
        """A task is begun now."""
        trail.site = self._place()[0]

    def _place(self) -> tuple[int, int]:
        source = self._source
        if source is None:
            return NOWHERE, SINGLE
        codes = source.sites
        above: FrameType | None = None
        frame: FrameType | None = sys._getframe(3)  # pyright: ignore[reportPrivateUsage]  # what inspect.stack() uses, without its cost
        for _ in range(FRAMES):
            if frame is None:
                break
            sites = codes.get(id(frame.f_code))
            if sites is not None:
                site = sites[frame.f_lasti // 2]
                if site != NOWHERE:
                    return site, WITHIN if above is None else self._how(above)
            above, frame = frame, frame.f_back
        return NOWHERE, SINGLE

    def _how(self, above: FrameType) -> int:
        """``above``: the frame that the flow's own called."""
        code = above.f_code
        known = self._hows.get(id(code))
        if known is None or known[0] is not code:
            own = str(above.f_globals.get("__name__", "")).startswith("kitaru.")
            how = (SEVERAL if code.co_name in ("map", "product") else SINGLE) if own else WITHIN
            self._hows[id(code)] = known = code, how
        return known[1]

    def mark(self, call: Call, inputs: JsonDict) -> None:
        """Say in the call's inputs what reached them, as far as digests do not say it; and what decided on the call."""
        source = self._source
        if source is None or call.site == NOWHERE:
            return
        key = call.site, call.how, call.name
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _plan(source, call, list(inputs))
        for parameter, value, bare in plan.reaching:
            form = inputs.get(parameter)
            # What is known to be a call's output was that call's, unless a variable says that it was a later one's.
            if form is not None and value and (bare or "f" not in form):
                self._mark(call, form, self._resolve(value, call), bare)
        if plan.control:
            call.conditions = self._resolve(plan.control, call)

    def _mark(self, call: Call, form: JsonDict, found: list[str], bare: bool) -> None:
        digests = self._origins.digests
        if bare and len(found) == 1 and form["d"] and digests.get(found[0]) == form["d"]:
            if "f" not in form:
                form["e"] = found
            elif found[0] in self._origins.outputs:
                form["f"] = found
            return
        if "f" not in form:
            known = form.get("e", ())
            more = [source for source in found if source not in known]
            if more:
                form["i"] = more

    def result(self) -> list[str]:
        """What reaches what the flow returns."""
        source = self._source
        return [] if source is None else self._followed(source, source.reading.result, self.root, sys.maxsize)

    def given(self, call: Call, inputs: JsonDict) -> JsonDict:
        """The inputs of a call that are stored with something else: with what is known of where they came from."""
        origins = self._origins
        forms = {name: dict(form) for name, form in inputs.items()}
        for form in forms.values():
            source = origins.calls.get(form["d"]) or origins.inputs.get(form["d"])
            if source is not None:
                form["e"] = [source]
        self.mark(call, forms)
        return forms

    def _resolve(self, value: Value, call: Call) -> list[str]:
        source, trail = self._source, call.trail
        assert source is not None
        assert trail is not None
        if len(value) == 1 and (parameter := next(iter(value)).parameter):
            return [f"input:{parameter}"] if parameter in self._inputs else []
        quick = self._latest(source, value, trail, call.position)
        if quick is not None:
            return [quick]
        return self._followed(source, value, trail, call.position)

    def _latest(self, source: FlowSource, value: Value, trail: Trail, position: int) -> str | None:
        """The one call that counts, where that can be told at once: one atom, or some of which the last is meant."""
        found: Entry | None = None
        choice = next(iter(value)).choice
        for atom in value:
            if atom.region >= 0 or atom.choice != choice or (choice < 0 and len(value) > 1):
                return None
            two = trail.latest.get(atom.site)
            if two is None:
                # A parameter was there before any call.
                if not atom.parameter and atom.site not in source.durable:
                    return None
                continue
            newest = two[0] if two[0].position < position else two[1]
            if newest is None or newest.how != SINGLE or newest.position >= position:
                return None
            if found is None or newest.position > found.position:
                found = newest
        return None if found is None or found.call_id not in self._origins.digests else found.call_id

    def _followed(self, source: FlowSource, value: Value, trail: Trail, position: int) -> list[str]:
        """Calls and flow inputs; through what is no durable call to what was given to it."""
        reading = source.reading
        counted: list[Entry] = []
        choices: dict[int, list[Entry]] = {}
        seen: set[Atom] = set()
        ahead = list(value)
        while ahead:
            atom = ahead.pop()
            if atom in seen:
                continue
            seen.add(atom)
            members = reading.members[atom.region] if atom.region >= 0 else ()
            found = self._made(atom, members, trail, position)
            (counted if atom.choice < 0 else choices.setdefault(atom.choice, [])).extend(found)
            if not atom.parameter and (found[0].how >= WITHIN if found else atom.site not in source.durable):
                below = reading.sites[atom.site].inputs
                ahead.extend(reading.over(atom.region, below) if members else below)
        for either in choices.values():
            last = max(either, default=None)
            counted += [entry for entry in either if last and entry.site == last.site]
        # A call that failed, or has not ended, gave nothing.
        given = self._origins.digests
        return [one for one in dict.fromkeys(entry.call_id for entry in sorted(counted)) if one in given][
            -EDGES:
        ]

    def _made(self, atom: Atom, members: Collection[int], trail: Trail, position: int) -> list[Entry]:
        if not atom.parameter:
            return trail.calls(atom.site, members, position)
        given = [Entry(0, NOWHERE, f"input:{atom.parameter}", SINGLE)]
        return given if atom.parameter in self._inputs else []


class _Plan(NamedTuple):
    """What reaches each parameter of the calls of one site, and whether it does unchanged."""

    reaching: list[tuple[str, Value, bool]]
    control: Value


def _plan(source: FlowSource, call: Call, parameters: list[str]) -> _Plan:
    found: list[tuple[str, Value, bool]] = []
    site, how = source.reading.sites[call.site], call.how
    for place, parameter in enumerate(parameters):
        value, bare = _reaching(site, how, place, parameter, last=place == len(parameters) - 1)
        if value:
            found.append((parameter, _through_plain(source, value), bare))
    return _Plan(found, site.control)


def _through_plain(source: FlowSource, value: Value) -> Value:
    """``range(n)`` is what ``n`` is: seen once here rather than at each call."""
    found: set[Atom] = set()
    seen: set[Atom] = set()
    ahead = list(value)
    while ahead:
        atom = ahead.pop()
        if atom in seen:
            continue
        seen.add(atom)
        if atom.site in source.plain and atom.choice < 0:
            below = source.reading.sites[atom.site].inputs
            ahead.extend(source.reading.over(atom.region, below) if atom.region >= 0 else below)
        else:
            found.add(atom)
    return frozenset(found)


def _reaching(site: Site, how: int, place: int, parameter: str, *, last: bool) -> tuple[Value, bool]:
    """What reaches a parameter, and whether it does unchanged."""
    if how in (WITHIN, TASK):
        return site.inputs, False
    value, key = site.rest, None
    if parameter in site.named:
        value, key = site.named[parameter], parameter
    elif place < len(site.args):
        value, key = site.args[place], place
        if last:
            value = value.union(*site.args[place + 1 :])
    return value, how == SINGLE and key in site.bare
