"""Test rows for `ops/recurrent`."""

from .sample import row

row(
    "lstm_layer",
    lambda r: (r.any(3, 2, 8), r.unit(2, 2), r.unit(2, 2), r.unit(8, 2), False),
    lambda r: (r.any(3, 1, 8), r.unit(1, 2), r.unit(1, 2), r.unit(8, 2), True),
)
row(
    "gru_layer",
    lambda r: (r.any(3, 2, 6), r.unit(2, 2), r.unit(6, 2), r.unit(6), False),
    lambda r: (r.any(3, 1, 6), r.unit(1, 2), r.unit(6, 2), None, True),
)
row(
    "rnn_layer",
    lambda r: (r.any(3, 2, 2), r.unit(2, 2), r.unit(2, 2), False, False),
    lambda r: (r.any(3, 2, 2), r.unit(2, 2), r.unit(2, 2), True, True),
)
row(
    "lstm_back",
    lambda r: (
        *(
            r.const(3, 2, 2),
            r.const(2, 2),
            r.const(2, 2),
            r.const(3, 2, 8).abs() / 2,
            r.const(3, 2, 2),
            r.const(3, 2, 2),
        ),
        *(r.const(2, 2), r.const(2, 2), r.const(8, 2), False),
    ),
)
row(
    "gru_back",
    lambda r: (
        *(r.const(3, 2, 2), r.const(2, 2), r.const(3, 2, 6), r.const(3, 2, 2), r.const(3, 2, 2), r.const(2, 2)),
        *(r.const(6, 2), False),
    ),
)
row(
    "rnn_back",
    lambda r: (r.const(3, 2, 2), r.const(2, 2), r.const(3, 2, 2), r.const(2, 2), r.const(2, 2), False, False),
)
