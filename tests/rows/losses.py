"""Losses that are rows: classification, regression, probabilities."""

from __future__ import annotations

from .sample import Draw, row


def _places(r: Draw, classes: int, *shape: int) -> object:
    """Targets, one of them to be ignored."""
    t = r.ints(classes, *shape)
    if t.numel() > 2:
        t.view(-1)[1] = -100
    return t


row(
    "nll_loss_rows",
    lambda r: (r.any(4, 3), r.ints(3, 4), None, 1, -100),
    lambda r: (r.any(4, 3), _places(r, 3, 4), None, 2, -100),
    lambda r: (r.any(4, 3), _places(r, 3, 4), r.prob(3).detach(), 1, -100),
    lambda r: (r.any(4, 3), _places(r, 3, 4), r.prob(3).detach(), 0, -100),
    lambda r: (r.any(3), r.ints(3), None, 1, 1),
)
row(
    "nll_loss_planes",
    lambda r: (r.any(2, 3, 2, 2), _places(r, 3, 2, 2, 2), r.prob(3).detach(), 1, -100),
    lambda r: (r.any(2, 3, 2, 2), r.ints(3, 2, 2, 2), None, 0, 0),
)
row(
    "nll_back",
    lambda r: (r.any(), _places(r, 3, 4), r.prob(3).detach(), r.pos().detach(), (4, 3), 2, -100),
    lambda r: (r.any(4), r.ints(3, 4), None, r.pos().detach(), (4, 3), 0, -100),
)
row("mse_loss", *(lambda r, n=n: (r.any(3, 2), r.any(3, 2), n) for n in range(3)), lambda r: (r.any(), r.any(), 1))
row("huber_loss", *(lambda r, n=n: (r.any(3, 2), r.any(3, 2), n, 0.7) for n in range(3)))
row("smooth_l1_loss", *(lambda r, n=n: (r.any(3, 2), r.any(3, 2), n, 0.7) for n in range(3)))
row(
    "binary_cross_entropy",
    *(lambda r, n=n: (r.prob(3, 2), r.prob(3, 2), None, n) for n in range(3)),
    lambda r: (r.prob(3), r.prob(3), r.pos(3).detach(), 1),
)
row(
    "binary_cross_entropy_with_logits",
    *(lambda r, n=n: (r.any(3, 2), r.prob(3, 2), None, None, n) for n in range(3)),
    lambda r: (r.any(3), r.prob(3), r.pos(3).detach(), r.pos(3).detach(), 1),
)
row("soft_margin_loss", *(lambda r, n=n: (r.any(3, 2), r.const(3, 2).sign(), n) for n in range(3)))
row(
    "chunked_cross_entropy_back",
    lambda r: (
        r.const(), r.const(4, 2), r.const(3, 2), r.const(3), r.ints(3, 4), None, r.const(4), r.const().abs() + 1, 1, -100, 2
    ),
)  # fmt: skip
row(
    "chunked_cross_entropy",
    lambda r: (r.any(4, 2), r.any(3, 2), r.any(3), r.ints(3, 4), None, 1, -100, 2),
    lambda r: (r.any(5, 2), r.any(3, 2), None, _places(r, 3, 5), r.prob(3).detach(), 2, -100, 2),
    lambda r: (r.any(4, 2), r.any(3, 2), r.any(3), _places(r, 3, 4), r.prob(3).detach(), 0, -100, 3),
)
