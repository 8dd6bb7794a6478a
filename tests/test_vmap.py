"""Inside `vmap`: memory and layout of one example, random numbers for all of them at once, what is refused and how."""

from __future__ import annotations

import pytest

import wengert as torch
from wengert.func import grad, jvp, vmap


def everywhere(draw, x, **kwargs):
    torch.manual_seed(3)
    return vmap(draw, randomness="different", **kwargs)(x)


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: torch.normal(x, 2.0),
        lambda x: torch.normal(0.0, x),
        lambda x: torch.bernoulli(x),
        lambda x: torch.poisson(x * 4),
        lambda x: torch.binomial(x.new_full(x.shape, 9), x),
        lambda x: torch._standard_gamma(x),
        lambda x: torch._sample_dirichlet(x),
        lambda x: torch.rand_like(x),
        lambda x: torch.multinomial(x, 3),
        lambda x: x.clone().bernoulli_(x),
        lambda x: x.clone().normal_(),
        lambda x: x.clone().bernoulli_(torch.linspace(0, 1, 20)),
    ],
)
def test_different_draws_are_those_of_the_whole_batch(draw) -> None:
    x = torch.rand(4, 20)
    inside = everywhere(draw, x)
    torch.manual_seed(3)
    assert torch.equal(inside, draw(x))
    turned = everywhere(draw, x.t().contiguous(), in_dims=1)  # the batch is moved to the front, not copied there
    torch.manual_seed(3)
    assert torch.equal(turned, draw(x.t().contiguous().t()))


def test_different_draws_of_parameters_that_the_examples_share() -> None:
    p = torch.rand(20)
    inside = everywhere(lambda _: torch.bernoulli(p), torch.zeros(4))
    torch.manual_seed(3)
    assert torch.equal(inside, torch.bernoulli(p.expand(4, 20)))


def test_multinomial_of_a_matrix_for_each_example() -> None:
    w = torch.rand(4, 3, 6)
    inside = everywhere(lambda x: torch.multinomial(x, 2), w)
    torch.manual_seed(3)
    assert torch.equal(inside, torch.multinomial(w.flatten(0, 1), 2).reshape(4, 3, 2))
    with pytest.raises(RuntimeError, match="prob_dist must be 1 or 2 dim"):
        everywhere(lambda x: torch.multinomial(x, 2), torch.rand(2, 2, 2, 2))


@pytest.mark.parametrize("draw", [torch.bernoulli, lambda x: torch.multinomial(x, 1), lambda x: torch.normal(x, 1.0)])
def test_the_same_draws_of_parameters_of_their_own_are_refused(draw) -> None:
    with pytest.raises(
        RuntimeError, match="^Vmap does not currently support same randomness with a batched tensor input"
    ):
        vmap(draw, randomness="same")(torch.rand(3, 2))


def test_bernoulli_in_place_with_a_chance_for_each_example() -> None:
    chance = torch.tensor([0.0, 1.0, 0.0])
    assert everywhere(lambda p: torch.zeros_like(p.expand(4)).bernoulli_(p), chance).tolist() == [
        [0.0] * 4,
        [1.0] * 4,
        [0.0] * 4,
    ]
    with pytest.raises(
        RuntimeError, match="there exists a Tensor `other` in extra_args that has more elements than `self`"
    ):
        everywhere(lambda p: torch.zeros(4).bernoulli_(p), chance)


@pytest.mark.parametrize(
    "draw",
    [
        lambda x, o: torch.rand(2, out=o),
        lambda x, o: torch.normal(x, 1.0, out=o),
        lambda x, o: torch.randperm(2, out=o),
    ],
)
def test_draws_into_out_are_refused(draw) -> None:
    with pytest.raises(RuntimeError, match="^vmap: We do not support calling out variants of random operations"):
        vmap(lambda x: draw(x, torch.zeros(2)), randomness="different")(torch.ones(3, 2))


def test_the_same_draws_are_those_of_one_contiguous_example() -> None:
    x = torch.zeros(6, 4, 3)
    torch.manual_seed(3)
    drawn = vmap(lambda t: t.normal_(), in_dims=1, randomness="same")(x.clone())
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.zeros(6, 3).normal_().expand(4, 6, 3))


def test_pieces_of_a_batch_draw_the_same_numbers() -> None:
    x = torch.zeros(5, 4)
    drawn = vmap(lambda x: x + torch.rand(4), randomness="same", chunk_size=2)(x)
    assert torch.equal(drawn, drawn[0].expand(5, 4))
    other = vmap(lambda x: x + torch.rand(4), randomness="different", chunk_size=2)(x)
    assert not torch.equal(other[0], other[2])


def test_set_state_returns_the_generator() -> None:
    g = torch.Generator()
    assert g.set_state(g.get_state()) is g


# -- memory ----------------------------------------------------------------------------------------------------------------


def test_as_strided_counts_from_the_storage_of_the_first_example() -> None:
    x = torch.arange(24.0).reshape(2, 3, 4)[1]  # begins at 12
    out = vmap(lambda t: t.as_strided((2,), (2,), 13))(x)
    assert out.tolist() == [[13, 15], [17, 19], [21, 23]]
    assert out._base is x._base
    nested = vmap(vmap(lambda t: t.as_strided((2, 2), (0, 2))))(torch.arange(24.0).reshape(2, 3, 4))
    assert nested[1, 2].tolist() == [[20, 22], [20, 22]]
    assert torch.equal(
        vmap(grad(lambda t: t.as_strided((2,), (2,), 1).sum()))(torch.zeros(2, 4)), torch.tensor([[0.0, 1, 0, 1]] * 2)
    )


@pytest.mark.parametrize(
    ("size", "stride", "offset", "why"),
    [
        ((3,), (1,), 1, r"in range \[1, 3\], but `tensor` can only access some memory in range \[0, 2\]"),
        ((2, 2), (2, 1), 0, r"in range \[0, 3\]"),
        ((2, 2), (1,), 0, "size and stride must have the same length"),
    ],
)
def test_as_strided_beyond_one_example_is_refused(size, stride, offset, why) -> None:
    with pytest.raises(RuntimeError, match=why):
        vmap(lambda t: t.as_strided(size, stride, offset))(torch.zeros(5, 3))
    with pytest.raises(RuntimeError, match="`tensor` has no storage"):
        vmap(lambda t: t.as_strided((3,), (1,)))(torch.zeros(5, 0, 3))


def test_is_contiguous_asks_for_one_example() -> None:
    seen = []

    def look(t):
        seen.append(t.is_contiguous())
        return t.contiguous()

    x = torch.zeros(2, 3, 5)
    assert vmap(look)(x) is x
    vmap(look, in_dims=1)(x)
    vmap(look, in_dims=2)(x)
    vmap(vmap(look), in_dims=1)(x)
    vmap(look)(torch.zeros(2, 0, 3).transpose(1, 2))
    assert seen == [True, False, False, True, True]
    with pytest.raises(RuntimeError, match="^NYI: querying is_contiguous inside of vmap for memory_format"):
        vmap(lambda t: t.contiguous(memory_format=torch.channels_last))(torch.zeros(2, 1, 1, 1, 1))


def test_what_the_examples_share_is_returned_as_a_view_of_it() -> None:
    shared = torch.zeros(3)
    out = vmap(lambda x: shared, out_dims=1)(torch.zeros(4))
    assert out.shape == (3, 4)
    assert out._base is shared
    viewed = vmap(torch.Tensor.view_as, (None, 0))(torch.zeros(6), torch.zeros(4, 2, 3))
    assert viewed.shape == (4, 2, 3)
    w = torch.ones(3, requires_grad=True)
    vmap(lambda x: w)(torch.zeros(4)).sum().backward()
    assert w.grad.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("name", "args", "shape", "changed"),
    [
        ("squeeze_", (), (2, 1, 3), (2, 3)),
        ("unsqueeze_", (0,), (2, 3), (2, 1, 3)),
        ("transpose_", (0, 1), (2, 3, 4), (2, 4, 3)),
        ("t_", (), (2, 3, 3), (2, 3, 3)),
        ("swapaxes_", (0, -1), (2, 3, 4, 5), (2, 5, 4, 3)),
    ],
)
def test_an_argument_that_becomes_another_view_of_itself(name, args, shape, changed) -> None:
    x = torch.arange(float(torch.zeros(shape).numel())).reshape(shape)
    given, expected = x.clone(), torch.stack([getattr(row.clone(), name)(*args) for row in x])
    result = vmap(lambda t: getattr(t, name)(*args))(given)
    assert result is given
    assert given.shape == changed
    assert torch.equal(given, expected)
    last = x.movedim(0, -1).clone()
    assert torch.equal(vmap(lambda t: getattr(t, name)(*args) + 1, in_dims=-1)(last), expected + 1)
    assert torch.equal(last, expected.movedim(0, -1))
    with pytest.raises(NotImplementedError, match="^vmap: an argument that requires grad was changed in place"):
        vmap(lambda t: getattr(t, name)(*args))(x.clone().requires_grad_() * 1)


def test_index_reduce_in_place() -> None:
    x, y = torch.ones(2, 3), torch.tensor([[2.0, 3.0], [4.0, 5.0]])
    index = torch.tensor([[0, 0], [1, 2]])
    assert vmap(lambda x, i, y: x.index_reduce_(0, i, y, "prod"))(x, index, y).tolist() == [[6, 1, 1], [1, 4, 5]]
    assert x.tolist() == [[6, 1, 1], [1, 4, 5]]


def test_new_empty_strided_gives_each_example_memory_of_its_own() -> None:
    out = vmap(vmap(lambda t: t.new_empty_strided([2, 3], [0, 2])))(torch.zeros(4, 6))
    assert out.shape == (4, 6, 2, 3)
    assert out.stride() == (30, 5, 0, 2)
    assert torch.empty_strided([2, 3], [0, 2]).storage().size() == 5


def test_view_as_complex_of_examples() -> None:
    x = torch.arange(12.0).reshape(3, 2, 2)
    assert torch.equal(vmap(torch.view_as_complex, in_dims=1)(x), torch.view_as_complex(x).t())
    with pytest.raises(RuntimeError, match="^Tensor must have a last dimension with stride 1"):
        vmap(torch.view_as_complex, in_dims=1)(torch.zeros(2, 3))
    with pytest.raises(RuntimeError, match="^Input tensor must have one or more dimensions"):
        vmap(torch.view_as_complex)(torch.zeros(2))


def test_operations_done_one_by_one_stack_three_levels() -> None:
    x = torch.arange(120.0).reshape(2, 3, 4, 5)
    assert torch.equal(vmap(vmap(vmap(lambda t: t.roll(2))))(x), x.roll(2, -1))
    y = torch.arange(240.0).reshape(2, 3, 2, 4, 5)
    assert torch.equal(vmap(vmap(vmap(torch.t), in_dims=1))(y), y.transpose(1, 2).transpose(-1, -2))


def test_one_hot_of_examples() -> None:
    x = torch.tensor([[2, 0], [1, 1]])
    assert torch.equal(vmap(lambda t: torch.nn.functional.one_hot(t, 3))(x), torch.nn.functional.one_hot(x, 3))
    with pytest.raises(
        RuntimeError, match="^When vmap-ing torch.nn.functional.one_hot, please provide an explicit positive"
    ):
        vmap(torch.nn.functional.one_hot)(x)
    with pytest.raises(RuntimeError, match="^Class values must be smaller than num_classes"):
        vmap(lambda t: torch.nn.functional.one_hot(t, 2))(x)


# -- what is refused -------------------------------------------------------------------------------------------------------


def test_a_tensor_that_escaped_is_refused() -> None:
    kept = []

    def keep(x):
        kept.append(x)
        return x * 2

    vmap(keep)(torch.ones(2, 3))
    (x,) = kept
    for use in (x.sin, x.sum, x.argmin, lambda: x + 1, lambda: 1 - x, lambda: x.mul_(2), x.zero_, x.exp_):
        with pytest.raises(RuntimeError, match="your tensor may have escaped from inside a function being vmapped"):
            use()
    with pytest.raises(RuntimeError, match="your tensor may have escaped"):
        vmap(lambda t: t + x)(torch.ones(2, 3))


def test_walking_back_through_a_closed_vmap_is_no_escape() -> None:
    x = torch.rand(2, 3, requires_grad=True)
    y = vmap(lambda t: (t.sin() * t).sum())(x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    torch.testing.assert_close(h, 2 * x.cos() - x * x.sin())


@pytest.mark.parametrize(
    ("product", "dims", "shapes"),
    [
        ("mm", "2 and dim 2", ((7, 2, 2, 2), (7, 2))),
        ("mv", "2 and dim 1", ((7, 2), (7, 2))),
        ("bmm", "3 and dim 3", ((7, 2, 2), (7, 2, 2))),
    ],
)
def test_products_of_the_wrong_dimensions(product, dims, shapes) -> None:
    with pytest.raises(RuntimeError, match=rf"^Shape mismatch: Got incorrect dims for {product}\(a, b\).*dim {dims}"):
        vmap(getattr(torch, product))(*map(torch.zeros, shapes))


def test_where_of_a_condition_alone() -> None:
    with pytest.raises(RuntimeError, match="Attempted to vmap over aten::where"):
        vmap(torch.where)(torch.ones(2, 3))


def test_anomaly_mode_names_the_example_that_went_bad() -> None:
    with torch.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError, match=r"nan at \[1\]"):
        vmap(grad(lambda t: t.sqrt()))(torch.tensor([1.0, -1.0]))


# -- functions that look at arrays -----------------------------------------------------------------------------------------

F = torch.nn.functional
BAGS = torch.tensor([[0, 2, 1], [3, 3, 0]])
BY_EXAMPLE = {
    "grid_sample": (lambda x, g: F.grid_sample(x, g, align_corners=True), (2, 1, 2, 4, 4), (2, 1, 3, 3, 2)),
    "embedding_bag": (lambda w: F.embedding_bag(BAGS, w), (2, 5, 3)),
    "max_unpool1d": (lambda x: F.max_unpool1d(x, torch.tensor([[[1, 2, 5]]]), 2), (2, 1, 1, 3)),
    "ctc_loss": (lambda x: F.ctc_loss(x.log_softmax(-1), torch.tensor([1, 2]), (6,), (2,)), (2, 6, 4)),
    "multilabel_margin_loss": (lambda x: F.multilabel_margin_loss(x, torch.tensor([2, 0, -1, 1])), (2, 4)),
    "index_reduce": (lambda x, y: x.index_reduce(0, torch.tensor([0, 2]), y, "prod"), (2, 3, 2), (2, 2, 2)),
    "lstsq": (lambda a, b: torch.linalg.lstsq(a, b).solution, (2, 5, 3), (2, 5, 2)),
}


@pytest.mark.parametrize("name", BY_EXAMPLE)
def test_functions_of_one_example_after_another(name) -> None:
    f, *shapes = BY_EXAMPLE[name]
    args = tuple(torch.rand(s, dtype=torch.float64) for s in shapes)
    torch.testing.assert_close(vmap(f)(*args), torch.stack([f(*example) for example in zip(*args, strict=True)]))
    last = tuple(a.movedim(0, -1) for a in args)
    torch.testing.assert_close(vmap(f, in_dims=-1)(*last), vmap(f)(*args))

    def slope(*example):
        return grad(lambda *a: (f(*a) * torch.arange(1.0, f(*a).numel() + 1).reshape(f(*a).shape)).sum())(*example)

    torch.testing.assert_close(
        vmap(slope)(*args), torch.stack([slope(*example) for example in zip(*args, strict=True)])
    )
    if len(args) > 1:  # shared by the examples, an argument still has a gradient for each of them
        shared = vmap(lambda a: grad(lambda b: (f(a, b) ** 2).sum())(args[1][0]))(args[0])
        each = [grad(lambda b, a=a: (f(a, b) ** 2).sum())(args[1][0]) for a in args[0]]
        torch.testing.assert_close(shared, torch.stack(each))
        pushed = vmap(lambda a, t: jvp(lambda b: f(a, b), (args[1][0],), (t,))[1])(args[0], args[1])
        each = [jvp(lambda b, a=a: f(a, b), (args[1][0],), (t,))[1] for a, t in zip(args[0], args[1], strict=True)]
        torch.testing.assert_close(pushed, torch.stack(each))
    # And walked back over the whole batch.
    x = args[0].clone().requires_grad_()
    vmap(f)(x, *args[1:]).sum().backward()
    each = torch.stack([grad(lambda *a: f(*a).sum())(*example) for example in zip(*args, strict=True)])
    torch.testing.assert_close(x.grad, each)


def test_ends_of_a_range_for_each_example() -> None:
    ends = torch.tensor([1.0, 2.0])
    assert vmap(lambda e: torch.linspace(0, e, 3))(ends).tolist() == [[0, 0.5, 1], [0, 1, 2]]
    torch.testing.assert_close(vmap(lambda e: torch.logspace(0, e, 2))(ends), torch.tensor([[1.0, 10], [1, 100]]))
    rows = vmap(lambda i: torch.unravel_index(i, (2, 3)))(torch.tensor([4, 2]))
    assert [r.tolist() for r in rows] == [[1, 0], [1, 2]]


def test_results_of_lstsq_that_are_empty_are_so_for_each_example() -> None:
    out = vmap(torch.linalg.lstsq)(torch.randn(2, 3, 4), torch.randn(2, 3, 2))
    assert [tuple(x.shape) for x in out] == [(2, 4, 2), (2, 0), (2,), (2, 0)]


def test_embedding_shortens_the_rows_that_any_example_names() -> None:
    w = torch.full((4, 2), 3.0)
    out = vmap(lambda i: F.embedding(i, w, max_norm=1.0))(torch.tensor([0, 2]))
    torch.testing.assert_close(out.norm(dim=-1), torch.ones(2))
    assert w[1::2].tolist() == [[3, 3]] * 2
    with pytest.raises(NotImplementedError, match="max_norm=...\\) under vmap over the weight"):
        vmap(lambda w: F.embedding(torch.tensor([0]), w, max_norm=1.0))(torch.zeros(2, 4, 2))


def test_squeeze_of_no_dimensions_and_masks_larger_than_what_they_fill() -> None:
    assert vmap(lambda x: x.squeeze(()))(torch.zeros(2, 1, 1)).shape == (2, 1, 1)
    assert vmap(lambda x: x.squeeze((0, -1)))(torch.zeros(2, 1, 3, 1)).shape == (2, 3)
    mask = torch.tensor([[True, False], [False, False]])
    filled = vmap(lambda x, m, v: x.masked_fill(m, v))(
        torch.tensor([1.0, 2.0]), mask.expand(2, 2, 2), torch.tensor([8.0, 9.0])
    )
    assert filled.tolist() == [[[8, 1], [1, 1]], [[9, 2], [2, 2]]]
    assert vmap(lambda x: x.masked_fill(mask, 7.0))(torch.tensor([1.0, 2.0])).tolist() == [
        [[7, 1], [1, 1]],
        [[7, 2], [2, 2]],
    ]
