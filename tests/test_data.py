"""The handwritten digits that come with the package are whole and unchanged."""

from __future__ import annotations

import hashlib

import numpy as np

from wengert.data import load_digits


def test_shapes_and_dtypes() -> None:
    images, labels = load_digits()
    assert (images.shape, images.dtype) == ((1797, 8, 8), np.uint8)
    assert (labels.shape, labels.dtype) == ((1797,), np.int64)


def test_pixels_count_from_0_to_16() -> None:
    images, _ = load_digits()
    assert (images.min(), images.max()) == (0, 16)


def test_each_digit_as_often_as_the_source_says() -> None:
    _, labels = load_digits()
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_checksums() -> None:
    images, labels = load_digits()
    for array, checksum in [
        (images, "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"),
        (labels.astype("<i8"), "a3c91c262eddcf7ba8f0e37507c30284493c9b20412ffe4af30d536401f7ba21"),
    ]:
        assert hashlib.sha256(array.tobytes()).hexdigest() == checksum


def test_each_call_gives_arrays_of_its_own() -> None:
    first, _ = load_digits()
    first[:] = 0
    assert load_digits()[0].max() == 16
