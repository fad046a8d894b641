"""A pool of networks of different ages: what is left to each, and when another begins."""

import pytest
import torch

from condensation.pytorch.living_pool import LivingPool
from condensation.pytorch.networks import Network, NetworkSpec, build

X, LABELS = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1])


def pool(aged: bool, seed: int = 0) -> LivingPool:
    spec = NetworkSpec(width=4, depth=1)

    def fresh(start: int) -> Network:
        return build(spec, image_shape=(8, 8, 1), classes=2, seed=start)

    return LivingPool(fresh, networks=3, lifetime=6, learning_rate=0.01, seed=seed, aged=aged)


def weights(network: Network) -> list[float]:
    return network.state_dict()["classifier.weight"].flatten().tolist()


@pytest.mark.parametrize(("aged", "ends"), [(False, [2, 4, 6]), (True, [6, 6, 6])])
def test_first_lives_end_one_after_the_other(aged: bool, ends: list[int]) -> None:
    """Aged ones have as many steps behind them as the others leave out, and then as many left."""
    own = pool(aged)
    assert [own.behind(number) for number in range(3)] == [4, 2, 0]
    for number, end in enumerate(ends):
        for _ in range(end - 1):
            own.train(number, X, LABELS)
        assert (own.members[number].life, own.members[number].age) == (0, end - 1)
        own.train(number, X, LABELS)
        assert (own.members[number].life, own.members[number].age) == (1, 0)
        assert own.behind(number) == 0


def test_a_network_that_begins_anew_is_another_one() -> None:
    own = pool(aged=False)
    first = weights(own.members[0].network)
    for _ in range(2):
        own.train(0, X, LABELS)
    assert weights(own.members[0].network) not in (first, weights(pool(aged=False).members[1].network))
    assert weights(pool(aged=False).members[0].network) == first != weights(pool(aged=False, seed=1).members[0].network)


def test_what_was_restored_goes_on_alike() -> None:
    own, other = pool(aged=True), pool(aged=True)
    for _ in range(7):
        own.train(1, X, LABELS)
    other.restore(own.state())
    for each in (own, other):
        each.train(1, X, LABELS)
    assert (other.members[1].life, other.members[1].age) == (1, 2)
    assert weights(other.members[1].network) == weights(own.members[1].network)
