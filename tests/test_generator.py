"""The random generator against PyTorch: golden numbers that need no torch, then direct comparison.

The golden numbers were printed once by PyTorch 2.13.0 (CPU, x86-64) after `torch.manual_seed(1234)`.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from wengert.kernels import distributions as X
from wengert.kernels import generator as G
from wengert.kernels import shuffle

f2, f4, f8, i8 = np.float16, np.float32, np.float64, np.int64
SIZES = [0, 1, 2, 15, 16, 17, 31, 33, 100, 1000, 100003]
CLOSE = {f2: 2e-3, f4: 5e-7, f8: 5e-16}  # vector log, sin and cos: Note [What agrees with PyTorch]

# fmt: off
GOLDEN: dict[str, tuple[Callable[[G.Generator], Any], list[float]]] = {
    "uniform-f32": (lambda g: G.uniform(g, (4,), f4), [0.028979242, 0.40189856, 0.25984418, 0.36664134]),
    "uniform-f64": (lambda g: G.uniform(g, (3,), f8),
                    [0.2318341720884639, 0.07875386135027063, 0.46640616040796923]),
    "uniform-f16": (lambda g: G.uniform(g, (4,), f2), [0.02898, 0.4019, 0.2598, 0.3667]),
    "uniform-c64": (lambda g: G.uniform(g, (2,), np.complex64),
                    [0.028979242 + 0.40189856j, 0.25984418 + 0.36664134j]),
    "uniform-bounds-f32": (lambda g: G.uniform(g, 3, f4, -2, 5), [-1.7971454, 0.81328994, -0.18109071]),
    "uniform-bounds-f64": (lambda g: G.uniform(g, 3, f8, -0.1, 0.7),
                           [0.08546733767077111, -0.03699691091978351, 0.27312492832637536]),
    "random-bounded": (lambda g: G.randint(g, -5, 100, (8,)), [85, 76, 16, 0, 51, 59, 22, 55]),
    "random-wide": (lambda g: G.randint(g, 0, 2**40, (3,)), [204000912083, 166721346613, 878802328948]),
    "random-64-bit-draws": (lambda g: G.randint(g, 0, 2**28, (3,)), [258400979, 22928437, 213081460]),
    "random-32-bit-draws": (lambda g: G.randint(g, 0, 2**28 - 1, (3,)), [17263410, 258400986, 256017711]),
    "random-int64": (lambda g: G.random_(g, 2, i8), [3532910284440527571, 2252509165406510133]),
    "random-int8": (lambda g: G.random_(g, 5, np.int8), [47, 83, 38, 53, 76]),
    "random-bool": (lambda g: G.random_(g, 8, np.bool_), [1, 1, 0, 1, 0, 0, 0, 1]),
    "random-f32": (lambda g: G.random_(g, 3, f4), [486142, 6742612, 4359303]),
    "random-full": (lambda g: G.random_(g, 2, i8, -2**63),
                    [3532910284440527571, -6970862871448265675]),
    "randperm": (lambda g: G.randperm(g, 12), [3, 1, 8, 5, 2, 6, 0, 7, 11, 9, 4, 10]),
    "bernoulli-scalar": (lambda g: G.bernoulli(g, 0.3, 12), [1, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1]),
    "bernoulli-array": (lambda g: G.bernoulli(g, np.array([1, 5, 9, 5, 3, 7, 2, 8], f4) / f4(10)),
                        [1, 1, 1, 1, 1, 0, 1, 1]),
    "dropout-mask": (lambda g: G.bernoulli(g, 1 - 0.25, 12), [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1]),
    "geometric": (lambda g: X.geometric(g, 8, i8, 0.3), [5, 8, 3, 3, 3, 4, 5, 5]),
    "multinomial": (lambda g: X.multinomial(g, np.array([1, 2, 3, 4], f4), 3), [1, 3, 2]),
    "multinomial-one": (lambda g: X.multinomial(g, np.array([[1, 2, 3], [3, 2, 1]], f4), 1), [[1], [0]]),
    "multinomial-replacement": (lambda g: X.multinomial(g, np.array([1, 2, 3, 4], f4), 8, True),
                                [1, 0, 2, 2, 2, 1, 1, 1]),
    "poisson": (lambda g: X.poisson(g, np.array([0.5, 3, 9, 20, 500], f4)), [0, 1, 8, 23, 485]),
    "binomial": (lambda g: X.binomial(g, np.array([5, 40, 1000], f4), np.array([0.3, 0.5, 0.9], f4)),
                 [1, 20, 903]),
}
GOLDEN_CLOSE: dict[str, tuple[Callable[[G.Generator], Any], list[float]]] = {
    "normal-f32": (lambda g: G.normal(g, (5,), f4),
                   [0.046130463, 0.40240282, -1.0115291, 0.21673824, -0.6122731]),
    "normal-f64": (lambda g: G.normal(g, (3,), f8),
                   [0.04613046189666927, 0.4024028259218943, -1.0115290977852016]),
    "normal-moved": (lambda g: G.normal(g, (3,), f8, 0.3, 1.7),
                     [0.3784217852243377, 0.9840848040672203, -1.4195994662348428]),
    "normal-seventeen": (lambda g: G.normal(g, (17,), f4),
                         [-0.111718565, -0.09228753, -0.7049197, -1.6023622, 0.2890972, 0.48987085,
                          -0.38527462,
                          -0.7120346, 0.63691264, -1.4594387, 0.22065908, 0.24625207, -1.3248119, 0.69698054,
                          -0.6630539, 1.2157569, -2.5273352]),
    "normal-sixteen-f64": (lambda g: G.normal(g, (16,), f8),
                           [-0.0883100793877292, 0.34204875400356316, 0.41116805645419313, 1.005114995835244,
                            -0.11174330920430504, -0.5987938786445167, -0.09817979302170232,
                            -0.35112135115822063, 0.7209026457458274, -0.21693018164685232,
                            -1.0426799548429555,
                            0.2447660583645158, -0.9887265803798617, -0.5195652303746121, 0.658528704399398,
                            0.6406369273293672]),
    "exponential-f32": (lambda g: X.exponential(g, 3, f4, 2.0), [0.13187483, 0.041014012, 0.31406015]),
    "exponential-f64": (lambda g: X.exponential(g, 2, f8), [0.2637496473824004, 0.0820280269123632]),
    "cauchy": (lambda g: X.cauchy(g, 3, f4, 1, 2), [-1.242374, -6.9180455, 0.7881365]),
    "log-normal": (lambda g: X.log_normal(g, 3, f4, 0.5, 0.25), [1.6678454, 1.8232137, 1.2803298]),
    "gamma": (lambda g: X.standard_gamma(g, np.array([0.2, 1, 7], f4)), [0.5743739, 1.2025204, 6.457039]),
    "dirichlet": (lambda g: X.dirichlet(g, np.array([0.5, 1, 2], f4)), [0.3558721, 0.28008735, 0.36404058]),
}
# fmt: on


def seeded(seed: int = 1234) -> G.Generator:
    return G.Generator().manual_seed(seed)


class TestGolden:
    @pytest.mark.parametrize("name", GOLDEN)
    def test_equal(self, name: str) -> None:
        draw, expected = GOLDEN[name]
        got = draw(seeded())
        np.testing.assert_array_equal(got, np.array(expected).astype(got.dtype))

    @pytest.mark.parametrize("name", GOLDEN_CLOSE)
    def test_close(self, name: str) -> None:
        draw, expected = GOLDEN_CLOSE[name]
        got = draw(seeded())
        np.testing.assert_allclose(got, expected, rtol=1e-6 if got.dtype == f4 else 2e-15)

    def test_state_bytes(self) -> None:
        """After an odd number of normals the state holds a block half used and a spare."""
        gen = seeded(7)
        G.uniform(gen, (700,), f4)
        G.normal(gen, (3,), f4)
        state = gen.get_state()
        assert state.dtype == np.uint8
        assert state.shape == (5056,)
        assert state[:24].tolist() == [7, *[0] * 7, 29, 2, 0, 0, 1, 0, 0, 0, 84, *[0] * 7]
        digest = "42e34da427844aa978cb72af817f7201619f921adc656fd6181fe8cd3cda5504"
        assert hashlib.sha256(state[:5024].tobytes()).hexdigest() == digest
        spare = np.array([84, 94, 14, 78, 212, 240, 246, 191], np.uint8).view(f8)
        np.testing.assert_allclose(state[5024:5032].view(f8), spare, rtol=1e-15)
        assert state[5032:].tolist() == [*[0] * 8, 1, *[0] * 15]

    def test_long_permutation(self) -> None:
        gen = seeded(5)
        assert G.randperm(gen, 100003)[:5].tolist() == [24809, 92077, 29372, 25888, 60888]
        assert int((G.randperm(gen, 100003) * np.arange(100003)).sum()) == 249870035236111

    def test_default_seed(self) -> None:
        gen = G.Generator()
        assert gen.initial_seed() == 67280421310721
        expected = np.array([0.267295241355896, 0.8725283145904541, 0.3352888226509094], f4)
        np.testing.assert_array_equal(G.uniform(gen, (3,), f4), expected)


class TestGenerator:
    @pytest.mark.parametrize(("given", "kept"), [(0, 0), (-1, 2**64 - 1), (2**64 - 1, 2**64 - 1), (-(2**63), 2**63)])
    def test_seed_range(self, given: int, kept: int) -> None:
        assert seeded(given).initial_seed() == kept

    @pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
    def test_seed_too_large(self, seed: int) -> None:
        with pytest.raises(ValueError, match="Overflow when unpacking long long"):
            seeded(seed)

    @pytest.mark.parametrize("seed", [True, 1.5, "a", None])
    def test_seed_of_wrong_type(self, seed: Any) -> None:
        with pytest.raises(RuntimeError, match=f"manual_seed expected a long, but got {type(seed).__name__}"):
            seeded(seed)

    def test_seed_is_fresh_and_replayable(self) -> None:
        gen = G.Generator()
        seed = gen.seed()
        assert gen.initial_seed() == seed != G.Generator().seed()
        np.testing.assert_array_equal(gen.bits(5), seeded(seed).bits(5))

    def test_only_the_low_half_of_a_seed_counts(self) -> None:
        np.testing.assert_array_equal(seeded(3).bits(9), seeded(3 + 2**32).bits(9))

    @pytest.mark.parametrize("drawn", [0, 1, 623, 624, 625, 1248, 5000])
    def test_state_round_trip(self, drawn: int) -> None:
        gen = seeded()
        gen.bits(drawn)
        G.normal(gen, 1, f8)
        copy, other = gen.clone_state(), seeded(9).set_state(gen.get_state())
        assert hashlib.sha256(copy.get_state()).digest() == hashlib.sha256(gen.get_state()).digest()
        expected = G.normal(gen, 3, f8)
        np.testing.assert_array_equal(G.normal(copy, 3, f8), expected)
        np.testing.assert_array_equal(G.normal(other, 3, f8), expected)

    def test_state_round_trip_between_blocks(self) -> None:
        for drawn in (0, 624):
            gen = seeded()
            gen.bits(drawn)
            np.testing.assert_array_equal(gen.clone_state().bits(700), gen.bits(700))

    def test_bad_states(self) -> None:
        gen = G.Generator()
        with pytest.raises(TypeError, match=r"RNG state must be a torch\.ByteTensor"):
            gen.set_state(np.zeros(5056))
        with pytest.raises(RuntimeError, match="size 5056 but found the input RNG state size to be 5"):
            gen.set_state(np.zeros(5, np.uint8))
        with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
            gen.set_state(np.zeros(5056, np.uint8))

    @pytest.mark.parametrize("parts", [(1, 2, 3), (623, 1, 1), (40000, 7, 40001)])
    def test_draws_join(self, parts: tuple[int, ...]) -> None:
        """A long draw equals short ones in a row, whatever the block and slice borders."""
        for dtype in (f4, f8):
            gen = seeded()
            pieces = [G.uniform(gen, (n,), dtype) for n in parts]
            np.testing.assert_array_equal(G.uniform(seeded(), (sum(parts),), dtype), np.concatenate(pieces))

    def test_reseeding_drops_the_spare(self) -> None:
        gen = seeded()
        first = G.normal(gen, 1, f4)
        np.testing.assert_array_equal(G.normal(gen.manual_seed(1234), 1, f4), first)


class TestAlgorithms:
    @pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 3000])
    def test_shuffles_agree(self, n: int) -> None:
        for seed in range(20):
            steps = np.arange(n - 1, dtype=np.int32)
            targets = steps + np.random.RandomState(seed).randint(0, np.arange(n, 1, -1)).astype(np.int32)
            np.testing.assert_array_equal(shuffle.swap_at_once(targets, n), shuffle.swap_in_turn(targets, n))

    def test_shuffle_of_self_swaps(self) -> None:
        np.testing.assert_array_equal(shuffle.swap_at_once(np.arange(6, dtype=np.int32), 7), np.arange(7))

    def test_inside_out_is_a_permutation(self) -> None:
        np.testing.assert_array_equal(np.sort(shuffle.inside_out(seeded(), 500)), np.arange(500))

    @pytest.mark.parametrize("dtype", [f4, f8])
    def test_fused_multiply_add(self, dtype: type) -> None:
        draws = np.random.RandomState(0).standard_normal((200, 3)).astype(dtype)
        for x, factor, addend in draws.tolist():
            exact = Fraction(x) * Fraction(factor) + Fraction(addend)
            got = G.fused_multiply_add(np.array([x], dtype), factor, addend)
            assert got.dtype == dtype
            assert got[0] == dtype(float(exact))

    def test_fused_multiply_add_overflow(self) -> None:
        assert G.fused_multiply_add(np.array([1e308]), 1e10, 1.0)[0] == np.inf

    def test_moments(self) -> None:
        gen, n = seeded(), 200_000
        complex_normal = G.normal(gen, n, np.complex64)
        for sample, mean, std in [
            (G.uniform(gen, n, f4), 1 / 2, 12**-0.5),
            (G.normal(gen, n, f4, 3.0, 2.0), 3.0, 2.0),
            (complex_normal.real, 0.0, 0.5**0.5),
            (complex_normal.imag, 0.0, 0.5**0.5),
            (G.bernoulli(gen, 0.3, n), 0.3, 0.21**0.5),
            (X.exponential(gen, n, f4, 4.0), 1 / 4, 1 / 4),
            (X.geometric(gen, n, f4, 0.25), 4.0, 12**0.5),
            (X.standard_gamma(gen, np.full(20_000, 0.7)), 0.7, 0.7**0.5),
            (X.poisson(gen, np.full(20_000, 30.0)), 30.0, 30**0.5),
            (X.binomial(gen, np.full(20_000, 50.0), np.full(20_000, 0.7)), 35.0, 10.5**0.5),
        ]:
            error = 5 * std / sample.size**0.5
            assert abs(sample.mean(dtype=f8) - mean) < error
            assert abs(sample.std(dtype=f8) / std - 1) < 0.05

    def test_uniform_never_reaches_the_end(self) -> None:
        """Rounded to float16, one draw in 4096 from [0, 1) would be 1."""
        assert G.uniform(seeded(), 100_000, f2).max() < 1

    def test_nan_ends_the_rejection_loops(self) -> None:
        gen, nan = seeded(), np.array([np.nan, 3.0])
        assert np.isnan(X.binomial(gen, nan, np.array([0.9, np.nan]))).all()
        assert X.standard_gamma(gen, nan)[0] == np.finfo(f8).tiny  # as PyTorch

    def test_multinomial_skips_zeros(self) -> None:
        weights = np.array([[0.0, 1.0, 0.0, 2.0]] * 50)
        for replacement in (False, True):
            assert set(X.multinomial(seeded(), weights, 2, replacement).ravel().tolist()) == {1, 3}


R, N = RuntimeError, NotImplementedError
# fmt: off
ERRORS: dict[str, tuple[Callable[[G.Generator], Any], type[Exception], str]] = {
    "uniform-int": (lambda g: G.uniform(g, 2, np.int32), N, "for 'Int'"),
    "uniform-order": (lambda g: G.uniform(g, 2, f4, 1, 0), R, r"found from=1 > to=0"),
    "uniform-bound": (lambda g: G.uniform(g, 2, f2, 0, 1e6), R, "to is out of bounds for c10::Half"),
    "uniform-width": (lambda g: G.uniform(g, 2, f4, -3e38, 3e38), R, r"to=3e\+38 and from=-3e\+38"),
    "normal-int": (lambda g: G.normal(g, 2, i8), N, "\"normal_kernel_cpu\".*'Long'"),
    "normal-std": (lambda g: G.normal(g, 2, f4, 0, -1), R, r"std >= 0.0, but found std -1"),
    "normal-stds": (lambda g: G.normal_elementwise(g, 0.0, -np.ones(2)), R, "elements of std >= 0.0"),
    "random-order": (lambda g: G.randint(g, 5, 3, 2), R, "but got from=5 >= to=3"),
    "random-low": (lambda g: G.randint(g, -1, 3, 2, np.uint8), R, "from is .* for unsigned char"),
    "random-high": (lambda g: G.randint(g, 0, 300, 2, np.int8), R, "to - 1 is .* for signed char"),
    "random-uint": (lambda g: G.random_(g, 2, np.uint16), N, "\"random_kernel_cpu\".*'UInt16'"),
    "random-complex": (lambda g: G.randint(g, 0, 9, 2, np.complex64), R, "handles only integral"),
    "randperm-negative": (lambda g: G.randperm(g, -1), R, r"negative dimension -1: \[-1\]"),
    "randperm-narrow": (lambda g: G.randperm(g, 257, np.uint8), R, "to type uint8_t without"),
    "randperm-half": (lambda g: G.randperm(g, 2050, f2), R, "n cannot be greater than 2049 for Half"),
    "randperm-bool": (lambda g: G.randperm(g, 2, np.bool_), N, "\"randperm\".*'Bool'"),
    "bernoulli-p": (lambda g: G.bernoulli(g, 1.5, 2), R, r"to be in \[0, 1\], but got p=1.5"),
    "bernoulli-ps": (lambda g: G.bernoulli(g, np.array([1.5])), R, "Expected p_in >= 0 && p_in <= 1"),
    "bernoulli-int": (lambda g: G.bernoulli(g, np.array([1])), N, "_cpu_p_.*Long"),
    "exponential-rate": (lambda g: X.exponential(g, 2, f4, 0), R, "found lambda=0"),
    "exponential-int": (lambda g: X.exponential(g, 2, i8), R, "Exponential .* you specified Long"),
    "geometric-p": (lambda g: X.geometric(g, 2, f4, 1), R, "got p=1"),
    "cauchy-sigma": (lambda g: X.cauchy(g, 2, f4, 0, 0), R, "found sigma=0"),
    "log-normal-std": (lambda g: X.log_normal(g, 2, f4, 0, 0), R, "found std=0"),
    "multinomial-dims": (lambda g: X.multinomial(g, np.ones((1, 1, 1)), 1), R, "must be 1 or 2 dim"),
    "multinomial-int": (lambda g: X.multinomial(g, np.ones(3, i8), 1), R, "for input, got: Long"),
    "multinomial-none": (lambda g: X.multinomial(g, np.ones(3), 0), R, "n_sample <= 0 samples"),
    "multinomial-many": (lambda g: X.multinomial(g, np.ones(3), 4), R, "samples without replacement"),
    "multinomial-negative": (lambda g: X.multinomial(g, -np.ones(3), 1), R, "`nan` or element < 0"),
    "multinomial-zero": (lambda g: X.multinomial(g, np.zeros(3), 1), R, "sum of probabilities <= 0"),
    "poisson-rate": (lambda g: X.poisson(g, -np.ones(2)), R, "invalid Poisson rate"),
    "gamma-half": (lambda g: X.standard_gamma(g, np.ones(2, f2)), N, "\"gamma_cpu\".*'Half'"),
    "binomial-dtypes": (lambda g: X.binomial(g, np.ones(2, f4), np.ones(2)), R, "Double but"),
}
# fmt: on


class TestErrors:
    @pytest.mark.parametrize("name", ERRORS)
    def test_message(self, name: str) -> None:
        call, kind, message = ERRORS[name]
        gen = seeded()
        before = gen.get_state()
        with pytest.raises(kind, match=message):
            call(gen)
        np.testing.assert_array_equal(gen.get_state(), before)

    def test_float_range_with_gaps_warns(self) -> None:
        with pytest.warns(UserWarning, match=r"to - 1 is out of bounds \[-\(2\^24\), 2\^24\]"):
            G.randint(seeded(), 0, 2**40, 2, f4)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.conformance
class TestConformance:
    """Two generators side by side through random calls; the states must agree after every one."""

    def walk(self, torch: Any, rounds: int, seed: int, step: Callable[..., None]) -> None:
        ours, theirs, rnd = G.Generator(), torch.Generator(), random.Random(seed)
        np.testing.assert_array_equal(ours.get_state(), theirs.get_state().numpy())
        start = rnd.randrange(-(2**63), 2**64)
        ours.manual_seed(start)
        theirs.manual_seed(start)
        for _ in range(rounds):
            step(torch, ours, theirs, rnd)
            np.testing.assert_array_equal(ours.get_state(), theirs.get_state().numpy())

    @pytest.mark.parametrize("seed", range(4))
    def test_common_draws(self, torch: Any, seed: int) -> None:
        self.walk(torch, 150, seed, self.common_step)

    def common_step(self, torch: Any, ours: G.Generator, theirs: Any, rnd: random.Random) -> None:
        n, dtype = rnd.choice(SIZES), rnd.choice([f2, f4, f8])
        like = torch.empty(n, dtype=getattr(torch, dtype.__name__))
        rtol = 0 if n < 16 else CLOSE[dtype]

        def same(got: Any, expected: Any, rtol: float = 0, atol: float = 0) -> None:
            assert got.dtype == expected.numpy().dtype
            assert got.shape == tuple(expected.shape)
            np.testing.assert_allclose(got, expected.numpy(), rtol, atol)

        match rnd.randrange(10):
            case 0:
                same(G.uniform(ours, (n,), dtype), like.uniform_(generator=theirs))
            case 1:
                low, high = sorted((rnd.uniform(-9, 9), rnd.uniform(-9, 9)))
                same(G.uniform(ours, n, dtype, low, high), like.uniform_(low, high, generator=theirs))
            case 2:
                same(G.normal(ours, n, dtype), like.normal_(generator=theirs), rtol)
            case 3:
                mean, std = rnd.uniform(-3, 3), rnd.uniform(0, 4)
                expected = like.normal_(mean, std, generator=theirs)
                same(G.normal(ours, n, dtype, mean, std), expected, rtol, 16 * rtol)
            case 4:
                kind = rnd.choice([np.complex64, np.complex128])
                whole = torch.empty(n, dtype=getattr(torch, kind.__name__))
                same(G.uniform(ours, n, kind), whole.uniform_(generator=theirs))
                got, expected = G.normal(ours, n, kind), whole.normal_(generator=theirs)
                same(got.real, expected.real, CLOSE[f4])
                same(got.imag, expected.imag, CLOSE[f4])
            case 5:
                kind, high = rnd.choice([(np.int8, 128), (np.uint8, 200), (np.int32, 2**31 - 1), (np.bool_, 2)])
                out = torch.empty(n, dtype=getattr(torch, kind.__name__.rstrip("_")))
                same(G.random_(ours, n, kind), out.random_(generator=theirs))
                same(G.randint(ours, 0, high, n, kind), out.random_(0, high, generator=theirs))
                same(G.random_(ours, n, kind, 1), out.random_(1, None, generator=theirs))
            case 6:
                low, high = sorted(rnd.randrange(-(2**63), 2**63) >> rnd.randrange(60) for _ in "ab")
                expected = torch.randint(low, high + 1, (n,), generator=theirs)
                same(G.randint(ours, low, high + 1, n), expected)
            case 7:
                same(G.random_(ours, n, dtype), like.random_(generator=theirs))
                same(G.randint(ours, -900, 900, n, dtype), like.random_(-900, 900, generator=theirs))
            case 8:
                same(G.randperm(ours, n), torch.randperm(n, generator=theirs))
            case 9:
                p, chances = rnd.random(), np.random.RandomState(n).rand(n).astype(dtype)
                same(G.bernoulli(ours, p, n, dtype), like.bernoulli_(p, generator=theirs))
                same(G.bernoulli(ours, chances), torch.bernoulli(torch.from_numpy(chances), generator=theirs))

    @pytest.mark.parametrize("seed", range(4))
    def test_distributions(self, torch: Any, seed: int) -> None:
        self.walk(torch, 150, seed, self.distribution_step)

    def distribution_step(self, torch: Any, ours: G.Generator, theirs: Any, rnd: random.Random) -> None:
        n, dtype = rnd.choice([0, 1, 3, 16, 33, 200]), rnd.choice([f4, f8])
        like = torch.empty(n, dtype=getattr(torch, dtype.__name__))
        chances = np.random.RandomState(rnd.randrange(2**31)).rand(n).astype(dtype)
        wide = chances * dtype(rnd.choice([1, 9, 40, 1000]))
        both = lambda x: (x, torch.from_numpy(x))

        def same(got: Any, expected: Any, rtol: float = 0) -> None:
            assert got.dtype == expected.numpy().dtype
            assert got.shape == tuple(expected.shape)
            np.testing.assert_allclose(got, expected.numpy(), rtol)

        match rnd.randrange(9):
            case 0:
                same(X.exponential(ours, n, dtype, 0.7), like.exponential_(0.7, generator=theirs))
                same(X.geometric(ours, n, dtype, 0.2), like.geometric_(0.2, generator=theirs))
            case 1:
                same(X.cauchy(ours, n, dtype, 0.3, 2.5), like.cauchy_(0.3, 2.5, generator=theirs))
            case 2:
                same(X.log_normal(ours, n, dtype, 0.3, 0.9), like.log_normal_(0.3, 0.9, generator=theirs))
            case 3:
                same(G.normal(ours, min(n, 15), dtype), like[:15].normal_(generator=theirs))
            case 4 if n:
                mine, its = both(chances if rnd.random() < 0.5 else np.stack([chances, wide]))
                m = rnd.randint(1, n)
                same(X.multinomial(ours, mine, m), torch.multinomial(its, m, generator=theirs))
                same(X.multinomial(ours, mine, m, True), torch.multinomial(its, m, True, generator=theirs))
            case 5:
                mine, its = both(wide)
                same(X.poisson(ours, mine), torch.poisson(its, generator=theirs))
            case 6:
                mine, its = both(wide)
                same(X.standard_gamma(ours, mine), torch._standard_gamma(its, generator=theirs))
            case 7:
                mine, its = both(np.floor(wide))
                p, its_p = both(chances[::-1].copy())
                same(X.binomial(ours, mine, p), torch.binomial(its, its_p, generator=theirs))
            case 8 if n:
                mine, its = both(wide + dtype(0.01))
                same(X.dirichlet(ours, mine), torch._sample_dirichlet(its, generator=theirs), 4 * CLOSE[dtype])

    def test_elementwise(self, torch: Any) -> None:
        mean, std = np.linspace(-1, 1, 40).astype(f4), np.linspace(0, 2, 40).astype(f4)
        ours, theirs = seeded(), torch.Generator().manual_seed(1234)
        for pair in ((mean, std), (mean, 0.5), (0.5, std), (mean[:, None], std)):
            expected = torch.normal(*[torch.from_numpy(x) if np.ndim(x) else x for x in pair], generator=theirs)
            got = G.normal_elementwise(ours, *pair)
            assert got.dtype == f4
            np.testing.assert_allclose(got, expected.numpy(), rtol=2e-6, atol=2e-6)

    @pytest.mark.parametrize("dtype", [f4, f8])
    @pytest.mark.parametrize("size", [30, 60_000, 10**6])
    def test_long_rejection(self, torch: Any, dtype: type, size: int) -> None:
        """One decision that an ulp tips would shift all draws after it."""
        ours, theirs, bits = seeded(), torch.Generator().manual_seed(1234), np.random.RandomState(size)
        trials, p = bits.randint(0, size, 3000).astype(dtype), bits.rand(3000).astype(dtype)
        its_trials, its_p = torch.from_numpy(trials), torch.from_numpy(p)
        expected = torch.binomial(its_trials, its_p, generator=theirs).numpy()
        np.testing.assert_array_equal(X.binomial(ours, trials, p), expected)
        expected = torch.poisson(its_trials, generator=theirs).numpy()
        np.testing.assert_array_equal(X.poisson(ours, trials), expected)
        expected = torch._standard_gamma(its_trials, generator=theirs).numpy()
        np.testing.assert_array_equal(X.standard_gamma(ours, trials), expected)

    def test_dropout_mask(self, torch: Any) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(5)
            kept = torch.nn.functional.dropout(torch.ones(1000), 0.4).numpy() != 0
        np.testing.assert_array_equal(G.bernoulli(seeded(5), 1 - 0.4, 1000).astype(bool), kept)

    def test_states_travel_both_ways(self, torch: Any) -> None:
        for drawn in (0, 1, 623, 624, 700):
            theirs = torch.Generator().manual_seed(drawn)
            torch.rand(drawn, generator=theirs)
            torch.randn(1, generator=theirs)
            ours = G.Generator().set_state(theirs.get_state().numpy())
            assert ours.initial_seed() == theirs.initial_seed()
            G.normal(ours, 2, f4)
            theirs.set_state(torch.from_numpy(ours.get_state()))
            np.testing.assert_array_equal(
                G.normal(ours, 2, f8), torch.randn(2, dtype=torch.float64, generator=theirs).numpy()
            )

    @pytest.mark.parametrize("dtype", [f2, f4, f8])
    @pytest.mark.parametrize("shift", [0, 1, 7])
    def test_wide_float_ranges(self, torch: Any, dtype: type, shift: int) -> None:
        """Bounds that the dtype cannot hold are narrowed, with PyTorch's rounding."""
        ours, theirs = seeded(), torch.Generator().manual_seed(1234)
        like = torch.empty(100, dtype=getattr(torch, dtype.__name__))
        digits = np.finfo(dtype).nmant + 1
        for power in (digits, digits + 1, digits + 3):
            low, high = -(2**power) - shift, 2**power + shift
            with (
                pytest.warns(UserWarning, match="out of bounds")
                if power > digits or shift
                else contextlib.nullcontext()
            ):
                got = G.randint(ours, low, high, 100, dtype)
                expected = like.random_(low, high, generator=theirs)
            np.testing.assert_array_equal(got, expected.numpy())
