"""A step length that satisfies the strong Wolfe conditions: bracket, then zoom (Nocedal and Wright, algorithms 3.5, 3.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A place on the line: step length, value, gradient there, and its slope along the line."""

    t: Any
    f: float
    g: Any
    slope: Any


def cubic_minimum(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through the values and slopes of two points is least, within bounds (the points themselves)."""
    low, high = bounds if bounds is not None else (min(a.t, b.t), max(a.t, b.t))
    d = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    left, right = (a, b) if a.t <= b.t else (b, a)
    root = square**0.5
    best = right.t - (right.t - left.t) * ((right.slope + root - d) / (right.slope - left.slope + 2 * root))
    return min(max(best, low), high)


def strong_wolfe(
    evaluate: Callable[[Any], tuple[float, Any]],
    t: Any,
    d: Any,
    start: Point,
    most: int,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    tolerance: float = 1e-9,
) -> tuple[Point, int]:
    """From `start` (at 0) along `d`, first trying `t`. `evaluate(t)` gives value and gradient, at most `most` times more.

    Returns the point found and how often the function was evaluated.
    """

    def at(t: Any) -> Point:
        f, g = evaluate(t)
        return Point(t, f, g, g.dot(d))

    def too_high(p: Point) -> bool:
        return bool(p.f > start.f + decrease * p.t * start.slope)

    def flat(p: Point) -> bool:
        return bool(abs(p.slope) <= -curvature * start.slope)

    before, now = start, at(t)
    evaluations, rounds = 1, 0
    bracket: list[Point] = []
    while rounds < most:
        if too_high(now) or (rounds > 1 and now.f >= before.f):
            bracket = [before, now]
            break
        if flat(now):
            return now, evaluations
        if now.slope >= 0:
            bracket = [before, now]
            break
        bounds = (now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now = now, at(cubic_minimum(before, now, bounds))
        evaluations += 1
        rounds += 1
    else:
        bracket = [start, now]

    low, high = (0, 1) if bracket[0].f <= bracket[1].f else (1, 0)
    reach = abs(d).max()
    stalled = False
    while rounds < most and not abs(bracket[1].t - bracket[0].t) * reach < tolerance:
        t = cubic_minimum(bracket[0], bracket[1])
        # A trial next to an end of the bracket makes it hardly smaller: the second time, move a tenth inwards.
        left, right = min(p.t for p in bracket), max(p.t for p in bracket)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if stalled or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        now = at(t)
        evaluations += 1
        rounds += 1
        if too_high(now) or now.f >= bracket[low].f:
            bracket[high] = now
            low, high = (0, 1) if bracket[0].f <= bracket[1].f else (1, 0)
            continue
        done = flat(now)
        if not done and now.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = now
        if done:
            break
    return bracket[low], evaluations
