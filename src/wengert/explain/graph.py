"""A ledger as a graph to be drawn: a tree of scopes, what one drawing of a scope shows, and where each box stands.

Scopes are stretches of the program's steps, one in another: a module's call, a round of a loop, or (where a stretch is
long) a run of steps. A stretch of steps is whole, so boxes that stand for stretches never form a cycle. The layout is
layered (Sugiyama's four steps): layers by longest path, dummies on long edges, order by barycentres, positions by
averaging between neighbours. No randomness: the same ledger gives the same picture. Nothing here knows SVG.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .ledger import Block, Ledger, flat
from .recording import Step, Value

WIDE = 48  # entries that one drawing may have before they are gathered
FLAT = 64  # steps up to which a scope can be drawn with all its steps


@dataclass(eq=False)
class Scope:
    """A stretch of the drawn steps, `first` to `last` (exclusive), in places of their list."""

    label: str
    kind: str
    first: int
    last: int
    number: int = 0
    parent: int | None = None
    entries: list[Any] = field(default_factory=list)  # a place of a step, or a Scope

    @property
    def has_scopes(self) -> bool:
        return any(isinstance(e, Scope) for e in self.entries)


def drawn(ledger: Ledger) -> list[Step]:
    """The steps to be drawn: what the result depends on, but not how its leaves once got their values."""
    executed = {id(b.step) for b in ledger.blocks}
    leaves = {id(a.leaf) for a in ledger.arrivals if a.leaf.made_by is None or id(a.leaf.made_by) not in executed}
    found: dict[int, Step] = {}
    stack = [b.step for b in ledger.blocks]
    while stack:
        step = stack.pop()
        if id(step) not in found:
            found[id(step)] = step
            stack += [v.made_by for v in flat(step.args) if v.made_by is not None and id(v) not in leaves]
    return sorted(found.values(), key=lambda s: s.number)


def scopes(ledger: Ledger, steps: list[Step]) -> list[Scope]:
    """The tree of scopes over the drawn steps, parents before children; the first is the whole program."""
    chains = [s.scope.chain() if s.scope is not None else [] for s in steps]

    def stretch(first: int, last: int, depth: int) -> list[Any]:
        found: list[Any] = []
        i = first
        while i < last:
            if len(chains[i]) <= depth:
                found.append(i)
                i += 1
                continue
            call, end = chains[i][depth], i
            while end < last and len(chains[end]) > depth and chains[end][depth] is call:
                end += 1
            inside = stretch(i, end, depth + 1)
            # A call of one step, or one that is all its caller does, says nothing of its own.
            if end - i == 1 or (i == first and end == last and depth > 0):
                found += inside
            else:
                found.append(Scope(call.label, call.kind, i, end, entries=inside))
            i = end
        return gathered(found)

    def gathered(entries: list[Any]) -> list[Any]:
        """Not more than WIDE entries: rounds of a loop where there is one, else runs of equal length."""
        if len(entries) <= WIDE:
            return entries
        heads = rounds([steps[e].site if isinstance(e, int) else None for e in entries])
        if heads:
            cuts, kind, label = heads, "loop", "round {}"
        else:
            size = math.ceil(len(entries) / math.ceil(len(entries) / WIDE))
            cuts, kind, label = list(range(0, len(entries), size)), "run", ""
        made: list[Any] = entries[: cuts[0]]
        for k, start in enumerate(cuts):
            part = entries[start : cuts[k + 1] if k + 1 < len(cuts) else len(entries)]
            first = part[0] if isinstance(part[0], int) else part[0].first
            last = part[-1] + 1 if isinstance(part[-1], int) else part[-1].last
            name = label.format(k + 1) or f"steps {first + 1} to {last}"
            made.append(Scope(name, kind, first, last, entries=gathered(part)))
        return gathered(made)

    top = Scope(ledger.root.name or "program", "program", 0, len(steps), entries=stretch(0, len(steps), 0))
    found = [top]
    for scope in found:
        for entry in scope.entries:
            if isinstance(entry, Scope):
                entry.number, entry.parent = len(found), scope.number
                found.append(entry)
    return found


def rounds(sites: list[Any]) -> list[int]:
    """Where the rounds of a loop begin: the places of the first call that is made again and again."""
    keys = [None if s is None else (s[0].co_filename, s[1], s[2]) for s in sites]
    counts = Counter(k for k in keys if k is not None)
    head = next((k for k in keys if k is not None and counts[k] >= 3), None)
    if head is None:
        return []
    places = [i for i, k in enumerate(keys) if k == head]
    # Rounds of one or two steps gather nothing; a head that comes several times in a round would cut it up.
    return places if len(keys) / len(places) >= 3 and 2 * places[0] < len(keys) else []


@dataclass(eq=False)
class Box:
    """One thing in a drawing."""

    kind: str  # step, scope, or leaf: a value that comes from outside
    step: Step | None = None
    scope: Scope | None = None
    value: Value | None = None  # whose value and gradient it shows
    block: Block | None = None  # its backward, for a step
    at: int = 0  # the place, from 1, of the step after which it has its value
    width: float = 0.0
    height: float = 0.0
    x: float = 0.0  # of its centre
    y: float = 0.0
    layer: int = 0


@dataclass(eq=False)
class Edge:
    """A value that goes from one box to another, and the gradient that comes back."""

    source: int
    target: int
    value: Value
    at: int  # the place, from 1, of the forward step that first uses it
    back: int | None  # the number of the block that first sends a gradient back here
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass(eq=False)
class Drawing:
    boxes: list[Box]
    edges: list[Edge]
    width: float = 0.0
    height: float = 0.0


def drawing(steps: list[Step], scope: Scope, detail: bool, blocks: dict[int, Block]) -> Drawing:
    """What a scope's drawing shows: with `detail` every step, without it the scopes inside as boxes."""
    entries = list(range(scope.first, scope.last)) if detail else scope.entries
    boxes: list[Box] = []
    home: dict[int, int] = {}  # id of a value -> its box
    edges: dict[tuple[int, int, int], Edge] = {}
    for entry in entries:
        inside = steps[entry.first : entry.last] if isinstance(entry, Scope) else [steps[entry]]
        here = {id(v) for s in inside for v in s.outputs}
        first = entry.first if isinstance(entry, Scope) else entry
        used: dict[int, tuple[Value, int]] = {}
        for k, s in enumerate(inside):
            for v in flat(s.args):
                if id(v) not in here:
                    used.setdefault(id(v), (v, first + k + 1))
        for key, (v, _) in used.items():
            if key not in home:
                home[key] = len(boxes)
                boxes.append(Box("leaf", value=v))
        mine = len(boxes)
        last = inside[-1]
        if isinstance(entry, Scope):
            value = last.outputs[-1] if last.outputs else None
            boxes.append(Box("scope", scope=entry, step=last, value=value, at=entry.last))
        else:
            value = last.outputs[0] if last.outputs else None
            boxes.append(Box("step", step=last, value=value, block=blocks.get(id(last)), at=entry + 1))
        senders: dict[int, int] = {}
        for s in inside:
            block = blocks.get(id(s))
            for t in block.terms if block is not None else ():
                senders[id(t.target)] = min(senders.get(id(t.target), t.block), t.block)
        for key, (v, at) in used.items():
            edges[home[key], mine, key] = Edge(home[key], mine, v, at, senders.get(key))
        for key in here:
            home[key] = mine
    return Drawing(boxes, list(edges.values()))


# -- layout ------------------------------------------------------------------------------------------------------------

GAP_X, GAP_Y, MARGIN = 22.0, 44.0, 16.0


def place(d: Drawing) -> None:
    """Give every box its place and every edge its way; boxes know their sizes already."""
    boxes = d.boxes
    pairs = sorted({(e.source, e.target) for e in d.edges})
    _layers(boxes, pairs)
    count = max((b.layer for b in boxes), default=-1) + 1
    layers: list[list[int]] = [[] for _ in range(count)]
    sizes = [b.width for b in boxes]
    level = [b.layer for b in boxes]
    for i, box in enumerate(boxes):
        layers[box.layer].append(i)
    ways: dict[tuple[int, int], list[int]] = {}
    links: list[tuple[int, int]] = []
    for source, target in pairs:
        way = [source]
        for layer in range(level[source] + 1, level[target]):
            way.append(len(sizes))
            layers[layer].append(len(sizes))
            sizes.append(10.0)
            level.append(layer)
        way.append(target)
        ways[source, target] = way
        links += list(itertools.pairwise(way))
    above: list[list[int]] = [[] for _ in sizes]
    below: list[list[int]] = [[] for _ in sizes]
    for a, b in links:
        below[a].append(b)
        above[b].append(a)
    _order(layers, above, below)
    x = _positions(layers, above, below, sizes)
    heights = [max((boxes[i].height for i in layer if i < len(boxes)), default=0.0) for layer in layers]
    tops, y = [], MARGIN
    for h in heights:
        tops.append(y)
        y += h + GAP_Y
    left = min((x[i] - sizes[i] / 2 for i in range(len(sizes))), default=0.0) - MARGIN
    for i, box in enumerate(boxes):
        box.x, box.y = x[i] - left, tops[box.layer] + heights[box.layer] / 2
    d.width = max((x[i] + sizes[i] / 2 for i in range(len(sizes))), default=0.0) - left + MARGIN
    d.height = max(y - GAP_Y, MARGIN) + MARGIN
    _ways(d, ways, x, left, tops, heights, level)


def _ways(
    d: Drawing, ways: Any, x: list[float], left: float, tops: list[float], heights: list[float], level: list[int]
) -> None:
    number = {id(e): k for k, e in enumerate(d.edges)}
    leaving: dict[int, list[Edge]] = {}
    entering: dict[int, list[Edge]] = {}
    for e in d.edges:
        leaving.setdefault(e.source, []).append(e)
        entering.setdefault(e.target, []).append(e)

    def port(edges: list[Edge], e: Edge, width: float, end: int) -> float:
        """Where at a box's side an edge begins or ends: side by side in the order of their other ends."""
        ordered = sorted(edges, key=lambda f: (x[ways[f.source, f.target][1 if end else -2]], number[id(f)]))
        room = min(26.0, 0.7 * width / max(len(ordered), 1))
        return (ordered.index(e) - (len(ordered) - 1) / 2) * room

    for e in d.edges:
        a, b = d.boxes[e.source], d.boxes[e.target]
        way = ways[e.source, e.target]
        points = [(a.x + port(leaving[e.source], e, a.width, 1), a.y + a.height / 2)]
        for i in way[1:-1]:
            points += [(x[i] - left, tops[level[i]]), (x[i] - left, tops[level[i]] + heights[level[i]])]
        points.append((b.x + port(entering[e.target], e, b.width, 0), b.y - b.height / 2))
        e.points = points


def _layers(boxes: list[Box], pairs: list[tuple[int, int]]) -> None:
    """Longest path from the top; what comes from outside stands right above its first use."""
    users: dict[int, list[int]] = {}
    for source, target in sorted(pairs, key=lambda p: p[1]):
        boxes[target].layer = max(boxes[target].layer, boxes[source].layer + 1)
        users.setdefault(source, []).append(target)
    for i, b in enumerate(boxes):
        if b.kind == "leaf" and i in users:
            b.layer = min(boxes[t].layer for t in users[i]) - 1


def _order(layers: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    if all(len(layer) == 1 for layer in layers):
        return
    at = {i: k for layer in layers for k, i in enumerate(layer)}
    for sweep in range(8):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            near = above if down else below
            centre = {i: sum(at[j] for j in near[i]) / len(near[i]) if near[i] else float(at[i]) for i in layer}
            layer.sort(key=lambda i: (centre[i], at[i]))
            for k, i in enumerate(layer):
                at[i] = k


def _positions(
    layers: list[list[int]], above: list[list[int]], below: list[list[int]], sizes: list[float]
) -> list[float]:
    x = [0.0] * len(sizes)
    if all(len(layer) == 1 for layer in layers):
        return x  # a chain
    for layer in layers:
        right = 0.0
        for i in layer:
            x[i] = right + sizes[i] / 2
            right += sizes[i] + GAP_X
        for i in layer:
            x[i] -= (right - GAP_X) / 2
    for sweep in range(12):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            near = above if down else below
            want = [sum(x[j] for j in near[i]) / len(near[i]) if near[i] else x[i] for i in layer]
            apart = [(sizes[a] + sizes[b]) / 2 + GAP_X for a, b in itertools.pairwise(layer)]
            low, high = want[:], want[:]
            for k, gap in enumerate(apart):
                low[k + 1] = max(low[k + 1], low[k] + gap)
            for k in range(len(apart) - 1, -1, -1):
                high[k] = min(high[k], high[k + 1] - apart[k])
            for k, i in enumerate(layer):
                x[i] = (low[k] + high[k]) / 2  # both keep the distances, so their mean does
    return [round(v, 1) for v in x]
