"""random, herding, k_center, k_means: the contract, and their rules against cases done by hand."""

from pathlib import Path

import contract
import numpy as np
import pytest

from condensation.core.clusters import representatives
from condensation.core.errors import InputError
from condensation.core.taught import Taught
from condensation.selection.herding import herd
from condensation.selection.k_center import centres

METHODS = contract.methods_of("selection")


TestContract = contract.suite("selection")


@pytest.mark.parametrize("method", METHODS)
def test_chooses_real_images_without_repeating(method: str, tmp_path: Path) -> None:
    train = contract.toy()
    made = contract.make(method, train, 1, tmp_path, images_per_class=5)
    for label in range(train.classes):
        real = {image.tobytes() for image in train.pixels(train.indices_of(label))}
        chosen = [image.tobytes() for image in made.images[made.labels == label]]
        assert len(set(chosen)) == 5
        assert set(chosen) <= real


def test_herding_keeps_the_mean() -> None:
    line = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]])  # mean 3.2
    # 3 is nearest to 3.2; (3+2)/2=2.5 and (3+10)/2=6.5: 2 comes next; then (3+2+x)/3: 10 gives 5, 1 gives 2: 1.
    assert herd(line, 3).tolist() == [3, 2, 1]


def test_herding_beats_random_means() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(200, 5))
    distance = np.linalg.norm(cloud[herd(cloud, 10)].mean(0) - cloud.mean(0))
    others = [np.linalg.norm(cloud[rng.permutation(200)[:10]].mean(0) - cloud.mean(0)) for _ in range(200)]
    assert distance < np.quantile(others, 0.01)


def test_k_center_takes_the_farthest() -> None:
    line = np.array([[0.0], [4.0], [5.0], [6.0], [20.0]])  # mean 7: 6 is the first centre, then 20, then 0
    assert centres(line, 3).tolist() == [3, 4, 0]


def test_k_center_is_within_twice_the_best_radius() -> None:
    rng = np.random.default_rng(1)
    cloud = rng.normal(size=(12, 2))
    chosen = centres(cloud, 3)
    distances = np.linalg.norm(cloud[:, None] - cloud[None], axis=2)
    radius = distances[:, chosen].min(1).max()
    best = min(distances[:, [i, j, k]].min(1).max() for i in range(12) for j in range(i) for k in range(j))
    assert radius <= 2 * best + 1e-12
    assert len(set(chosen.tolist())) == 3


def test_features_of_other_data_are_refused(tmp_path: Path) -> None:
    contract.teacher_folder(tmp_path, contract.toy(), 0)
    Taught.load(tmp_path, contract.toy())
    others = contract.toy()
    others.images[0, 0, 0] += 1
    for train in (contract.toy(counts=(10, 10, 10)), others):
        with pytest.raises(InputError, match=rf"not trained on these {len(train)} images of toy; run `condense teach"):
            Taught.load(tmp_path, train)


def test_k_means_finds_one_representative_of_each_cluster_near_its_centre() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([centre + rng.normal(size=(20, 2)) for centre in (0.0, 50.0, 100.0)])
    chosen = representatives(points, 3, seed=1)
    assert sorted(chosen // 20) == [0, 1, 2]
    for i in chosen:
        cluster = points[i // 20 * 20 : i // 20 * 20 + 20]
        distance = np.linalg.norm(cluster - cluster.mean(0), axis=1)
        assert distance[i % 20] == distance.min()


def test_k_means_gives_different_points_even_where_all_coincide() -> None:
    assert sorted(representatives(np.ones((5, 2)), 5, seed=0)) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="got 6"):
        representatives(np.ones((5, 2)), 6, seed=0)
