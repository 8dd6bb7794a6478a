"""The gallery: every program runs, shows what its paragraph says, and has its page, picture and place in the index."""

from __future__ import annotations

import numpy as np
import pytest
from tools.gallery import GALLERY, HEAD, ORDER, PROGRAMS, entry, explained

from wengert.explain.page import to_page


@pytest.mark.parametrize("name", ORDER)
def test_it_runs_and_is_there(name: str) -> None:
    html = explained(name).html()
    assert len(html.encode()) < 300_000
    for ending in ("html", "svg", "tex"):
        stored = GALLERY / f"{name}.{ending}"
        assert stored.exists(), "run python -m tools.gallery"
        assert stored.stat().st_size < 300_000


def test_the_index_is_what_the_programs_say() -> None:
    assert (GALLERY / "README.md").read_text(encoding="utf-8") == "\n".join([HEAD, *map(entry, ORDER)])
    assert sorted(p.stem for p in PROGRAMS.glob("*.py")) == sorted(ORDER)


def gradient(name: str, leaf: str) -> np.ndarray:
    return next(a.gradient.array for a in explained(name).ledger.arrivals if a.leaf.name == leaf)  # type: ignore[union-attr]


def test_what_the_paragraphs_claim() -> None:
    assert np.abs(gradient("batch_norm", "x").sum(0)).max() < 1e-5
    nan = gradient("where_nan", "x")
    assert np.isnan(nan).tolist() == [False, True, False]
    assert [a.leaf.name for a in explained("none_item").ledger.arrivals] == ["x"]
    assert any(t.of == 4 for b in explained("fan_in").ledger.blocks for t in b.terms)
    penalty = explained("gradient_penalty").ledger
    assert any(s.order == 2 for s in penalty.forward)


def test_the_lstms_gradient_vanishes() -> None:
    ledger = explained("lstm").ledger
    sizes = [
        float(t.total.stats()[2])
        for b in ledger.blocks
        for t in b.terms
        if (t.target.name or "").startswith("c") and t.total is not None and t.position == t.of
    ]
    assert sizes[0] > 100 * sizes[-1] > 0


def test_the_same_run_gives_the_same_page() -> None:
    assert to_page(explained("attention").ledger) == to_page(explained("attention").ledger)
