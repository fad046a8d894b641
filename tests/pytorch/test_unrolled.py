"""The gradient through unrolled steps: against finite differences, and against one graph of all steps."""

import weakref
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils import parameters_to_vector

from condensation.pytorch import unrolled
from condensation.pytorch.augment import draw_each
from condensation.pytorch.networks import Network, NetworkSpec, build
from condensation.pytorch.unrolled import Step, landing

SPECS = [NetworkSpec(width=4, depth=1, activation="swish"), NetworkSpec(name="mlp", width=5, activation="swish")]
LABELS = torch.tensor([0, 1, 2, 1])


def network(spec: NetworkSpec) -> Network:
    return build(spec, image_shape=(8, 8, 1), classes=3, seed=0).double()


def images() -> Tensor:
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def steps(count: int) -> list[Step]:
    """Batches of three of the four images, each image through a transform of its own."""
    orders = [torch.randperm(4, generator=torch.Generator().manual_seed(n))[:3] for n in range(count)]
    sources = [torch.Generator().manual_seed(n) for n in range(count)]
    views = [draw_each("crop", count=3, image_shape=(8, 8, 1), generator=source) for source in sources]
    return [Step(batch, view) for batch, view in zip(orders, views, strict=True)]


def stretch(made: Network) -> tuple[Tensor, Tensor]:
    """The network's own weights, and others near them."""
    start = parameters_to_vector(made.parameters()).detach()
    return start, start + 0.1 * torch.randn(start.shape, generator=torch.Generator().manual_seed(9)).double()


def one_graph(made: Network, start: Tensor, goal: Tensor, x: Tensor, way: list[Step], size: Tensor) -> Tensor:
    """The same distance by plain tools: every step stays in the graph."""
    shapes = {name: p.shape for name, p in made.named_parameters()}

    def named(vector: Tensor) -> dict[str, Tensor]:
        parts = vector.split([shape.numel() for shape in shapes.values()])
        return {n: part.view(shape) for (n, shape), part in zip(shapes.items(), parts, strict=True)}

    weights = start.clone().requires_grad_()
    for step in way:
        logits = functional_call(made, named(weights), (step.view(x[step.batch]),))
        (gradient,) = torch.autograd.grad(
            functional.cross_entropy(logits, LABELS[step.batch]), weights, create_graph=True
        )
        weights = weights - size * gradient
    return (weights - goal).square().sum() / (start - goal).square().sum()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("cached_pixels", [1000, 64])
def test_the_gradient_is_that_of_one_graph_of_all_steps(spec, cached_pixels, monkeypatch):
    monkeypatch.setattr(unrolled, "CHUNK_PIXELS", cached_pixels)
    made, x, size = network(spec), images().requires_grad_(), torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    start, goal = stretch(made)
    want = one_graph(made, start, goal, x, steps(4), size)
    want.backward()
    got = landing(made, start, goal, x.detach(), LABELS, steps(4), size.item())
    assert got.distance == pytest.approx(want.item(), rel=1e-10)
    assert got.step_size == pytest.approx(size.grad.item(), rel=1e-8)
    torch.testing.assert_close(got.images, x.grad, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_gradient_is_that_of_finite_differences(spec):
    made, x, little = network(spec), images(), 1e-6
    walk = partial(landing, made, *stretch(made))
    got = walk(x, LABELS, steps(3), 0.3)
    for place in [(0, 0, 3, 4), (1, 0, 7, 0), (3, 0, 2, 2)]:
        moved = torch.zeros_like(x)
        moved[place] = little
        ahead, behind = (walk(x + sign * moved, LABELS, steps(3), 0.3).distance for sign in (1, -1))
        assert got.images[place].item() == pytest.approx((ahead - behind) / (2 * little), rel=1e-4, abs=1e-9)
    ahead, behind = (walk(x, LABELS, steps(3), 0.3 + sign * little).distance for sign in (1, -1))
    assert got.step_size == pytest.approx((ahead - behind) / (2 * little), rel=1e-5)


def test_to_stand_still_is_as_far_as_the_expert_went():
    made = network(SPECS[0])
    assert landing(made, *stretch(made), images(), LABELS, steps(2), 0.0).distance == pytest.approx(1)


class Saved:
    """A tensor that some graph keeps for its way back."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def most_saved(work: Callable[[], object]) -> int:
    """How many tensors graphs keep at once while this works."""
    alive: weakref.WeakSet[Saved] = weakref.WeakSet()
    most = 0

    def pack(tensor: Tensor) -> Saved:
        nonlocal most
        saved = Saved(tensor)
        alive.add(saved)
        most = max(most, len(alive))
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        work()
    return most


def test_graphs_of_one_step_are_kept_at_once_however_many_there_are(monkeypatch):
    monkeypatch.setattr(unrolled, "side_by_side", lambda function, items: list(map(function, items)))
    made, x = network(SPECS[0]), images()
    start, goal = stretch(made)
    by_hand, plain = (
        [most_saved(partial(work, made, start, goal, x)) for work in (partial(way, count=n) for n in (2, 8))]
        for way in (walked, graphed)
    )
    assert by_hand[0] == by_hand[1] < plain[0]
    assert plain[1] > 3 * plain[0]


def walked(made: Network, start: Tensor, goal: Tensor, x: Tensor, count: int) -> None:
    landing(made, start, goal, x, LABELS, steps(count), 0.1)


def graphed(made: Network, start: Tensor, goal: Tensor, x: Tensor, count: int) -> None:
    one_graph(made, start, goal, x.clone().requires_grad_(), steps(count), torch.tensor(0.1)).backward()
