"""mps3: what is chosen and in which order, what an image holds, what each part changes, and a run that goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import contract
import numpy as np
import pytest
import torch
from stopping import Stop, StoppingLog

from condensation.core.condensed import CondensedDataset
from condensation.core.errors import InputError
from condensation.core.images import ImageSet
from condensation.core.information import Information
from condensation.core.pictures import pictures
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.pytorch.cores import side_by_side
from condensation.pytorch.feature_regression import Regression
from condensation.pytorch.methods import mps3
from condensation.pytorch.methods.mps3 import Desk, Plan, as_read, best_plan, composed
from condensation.pytorch.synthetic import Scale, Storage, channels_first, nearest
from condensation.pytorch.teacher import load_network
from condensation.pytorch.training import predict, to_input

PLAIN = {"compose": None, "refine": None}
TOY = contract.toy(counts=(30, 25, 40))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return contract.trained_teacher_folder(tmp_path_factory.mktemp("teacher"), TOY, 0)


def desk(teacher: Path, images_per_class: int = 2, **changes: Any) -> Desk:
    return Desk(TOY, images_per_class, contract.params_of("mps3", **changes), 0, teacher)


def made(teacher: Path, log: RunLog | None = None, **changes: Any) -> CondensedDataset:
    params = contract.params_of("mps3", **changes)
    return mps3.condense(TOY, images_per_class=2, params=params, seed=0, log=log or RunLog(), teacher=teacher)


def test_candidates_are_the_surest_and_never_held_out(teacher: Path) -> None:
    own = desk(teacher)
    margins = own.taught.margins(TOY.labels)
    for label in range(3):
        found = own.candidates(label, Plan(1, 0.2, "none"))
        rest = np.setdiff1d(TOY.indices_of(label), TOY.held_out(0.1, derive(0, "hold-out")))
        paying = [image.tobytes() for image in own.paying.images]
        rest = np.array([row for row in rest if TOY.images[row].tobytes() not in paying])
        assert len(found) == max(round(0.2 * len(rest)), 4)
        assert found.tolist() == rest[np.argsort(-margins[rest], kind="stable")][: len(found)].tolist()
    assert len(own.candidates(0, Plan(4, 0.1, "none"))) == 16


def test_what_pays_the_agent_is_in_no_trial(teacher: Path) -> None:
    own, alone = desk(teacher), desk(teacher, compose=None)
    parts = [{image.tobytes() for image in part.images} for part in (own.held, own.paying)]
    assert own.held.counts().tolist() == own.paying.counts().tolist() == [3, 2, 4]
    assert not parts[0] & parts[1]
    np.testing.assert_array_equal(own.held.images, alone.held.images)
    found = [len(each.candidates(0, Plan(4, 1.0, "none"))) for each in (own, alone)]
    assert found == [30 - 3 - 3, 30 - 3]


def test_what_scores_trials_moves_no_pixels(teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, given = desk(teacher), list[ImageSet]()

    class Watched(Regression):
        def __init__(self, train: ImageSet, *args: Any, **kwargs: Any) -> None:
            given.append(train)
            super().__init__(train, *args, **kwargs)

    monkeypatch.setattr(mps3, "Regression", Watched)
    made(teacher, compose=None, pictures=[4], sure=[1.0])
    held = {image.tobytes() for image in own.held.images}
    assert len(given) == 2
    for real in given:
        assert len(real) == len(TOY) - len(own.held)
        assert not held & {image.tobytes() for image in real.images}


def test_pictures_of_a_class_come_in_the_order_of_what_they_tell(teacher: Path) -> None:
    own = desk(teacher, images_per_class=3)
    chosen = own.choose(Plan(1, 1.0, "information"))
    assert TOY.labels[chosen].tolist() == np.repeat([0, 1, 2], 3).tolist()
    assert len(set(chosen.tolist())) == 9
    ranked = own.choose(Plan(1, 1.0, "confidence")).reshape(3, 3)
    margins = own.taught.margins(TOY.labels)
    assert (np.diff(margins[ranked], axis=1) <= 0).all()
    assert not np.array_equal(chosen, own.choose(Plan(1, 1.0, "none")))


def test_what_was_composed_is_put_in_the_order_of_what_it_tells(teacher: Path) -> None:
    own, plan = desk(teacher, images_per_class=3, scoring="none"), Plan(4, 1.0, "none")
    chosen = own.choose(plan)
    ordered = own.in_order(chosen)
    by_class = [TOY.labels[rows].tolist() for rows in (chosen, ordered)]
    assert by_class[0] == by_class[1]
    assert sorted(ordered) == sorted(chosen)
    assert not np.array_equal(ordered, chosen)
    np.testing.assert_array_equal(own.in_order(chosen[::-1]), ordered)
    first = Information(own.taught.directions()[chosen], TOY.labels[chosen], 3).rank(np.full(3, 12)).chosen[:3]
    np.testing.assert_array_equal(chosen[first], ordered[::12])
    found = made(teacher, **PLAIN, scoring="none", pictures=[4], sure=[1.0])
    own = desk(teacher, compose=None)
    wanted = own.stored(own.in_order(own.choose(plan)), 4)
    np.testing.assert_array_equal(found.images, own.scale.pixels(wanted))


def test_without_agent_and_refinement_the_tiles_are_shrunk_training_images(teacher: Path) -> None:
    found = made(teacher, **PLAIN, pictures=[4], sure=[1.0])
    assert found.provenance.pictures_per_image == 4
    shrunk = nearest(channels_first(TOY.pixels()), (4, 4))[:, 0].numpy()
    for image, label in zip(found.images[..., 0], found.labels, strict=True):
        for tile in (image[:4, :4], image[:4, 4:], image[4:, :4], image[4:, 4:]):
            near = np.abs(shrunk - tile).max((1, 2))
            assert near.min() < 1e-5
            assert TOY.labels[near.argmin()] == label


def test_the_plan_of_the_best_trial_is_taken_and_a_single_one_is_not_tried(
    teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each number of pictures with random ones of the first share, then each share; 18 do not fit."""
    scores = {Plan(4, 0.3, "none"): 0.6, Plan(4, 0.5, "information"): 0.7, Plan(4, 1.0, "information"): 0.7}
    monkeypatch.setattr(Desk, "tried", lambda self, plan: (self.choose(plan), scores.get(plan, 0.5)))
    log = RunLog()
    own = desk(teacher, pictures=[1, 4, 18, 9], sure=[0.3, 0.5, 1.0])
    plan, chosen = best_plan(own, log)
    assert plan == Plan(4, 0.5, "information")
    np.testing.assert_array_equal(chosen, own.choose(plan))
    table = log.tables["trials"]
    assert table["pictures"].tolist() == [1, 4, 9, 4, 4, 4]
    assert table["sure"].tolist() == [0.3, 0.3, 0.3, 0.3, 0.5, 1.0]
    assert table["scoring"].tolist() == ["none"] * 3 + ["information"] * 3
    assert table["held_out_accuracy"].tolist() == [0.5, 0.6, 0.5, 0.5, 0.7, 0.7]
    log = RunLog()
    assert best_plan(desk(teacher, pictures=[4], sure=[0.5]), log)[0] == Plan(4, 0.5, "information")
    assert not log.tables


def test_of_numbers_of_pictures_that_trials_do_not_tell_apart_the_largest_is_taken(
    teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {Plan(1, 0.5, "none"): 0.7, Plan(4, 0.5, "none"): 0.6905, Plan(9, 0.5, "none"): 0.689}
    monkeypatch.setattr(Desk, "tried", lambda self, plan: (self.choose(plan), scores.get(plan, 0.8)))
    assert best_plan(desk(teacher, pictures=[1, 4, 9], sure=[0.5]), RunLog())[0] == Plan(4, 0.5, "information")


def test_random_pictures_are_taken_where_no_choice_is_better(teacher: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "trial", lambda self, images, count: 0.1 * count)
    own = desk(teacher, pictures=[1, 4], sure=[1.0, 0.5])
    plan, chosen = best_plan(own, RunLog())
    assert plan == Plan(4, 1.0, "none")
    np.testing.assert_array_equal(chosen, own.choose(plan))


def test_a_trial_is_the_same_alone_and_beside_another(teacher: Path) -> None:
    own = desk(teacher)
    plans = [Plan(1, 1.0, "none"), Plan(4, 1.0, "information")]
    beside = side_by_side(own.tried, plans)
    for (chosen, score), plan in zip(beside, plans, strict=True):
        alone, accuracy = own.tried(plan)
        np.testing.assert_array_equal(chosen, alone)
        assert score == accuracy


def test_a_trial_has_as_many_networks_as_its_steps_allow_and_random_choices_are_anew(
    teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {**contract.QUICK["mps3"]["trial"], "networks": 3, "epochs": 1, "max_steps": 7, "batch_size": 4}
    own = desk(teacher, trial=steps)  # a pass over six images is two steps, over six of four pictures six
    seen: list[torch.Tensor] = []
    plan, store = Plan(1, 1.0, "none"), own.stored
    monkeypatch.setattr(own, "stored", lambda chosen, count: seen.append(chosen) or store(chosen, count))
    _, score = own.tried(plan)
    assert len(seen) == 3
    assert len({tuple(chosen) for chosen in seen}) == 3
    chosen = list(seen)
    assert own.trial(lambda turn: store(chosen[turn], 1), 1) == score
    seen.clear()
    own.tried(Plan(4, 1.0, "none"))
    own.tried(Plan(4, 1.0, "information"))
    assert len(seen) == 2


def test_soft_labels_are_the_teachers_of_the_pictures_as_they_are_read(teacher: Path) -> None:
    found = made(teacher, **PLAIN, labels="soft", pictures=[4], sure=[1.0], temperature=3.0)
    network, mean, std = load_network(teacher)
    logits = torch.from_numpy(predict(network, to_input(pictures(found.images, 4), mean, std)))
    assert found.soft_labels is not None
    np.testing.assert_allclose(found.soft_labels.reshape(24, 3), (logits / 3).softmax(1).numpy(), atol=2e-3)


def test_an_image_as_read_lost_its_detail_and_nothing_else() -> None:
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    one, four = (Storage(count, Scale(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))) for count in (1, 4))
    assert torch.equal(as_read(images, one), images)
    read = as_read(images, four)
    assert read.shape == images.shape
    torch.testing.assert_close(as_read(images[2:3], four), read[2:3])
    assert read.var() < images.var()


def test_the_agent_keeps_to_candidates_and_never_ends_worse_than_it_began(teacher: Path) -> None:
    own, plan = desk(teacher), Plan(4, 1.0, "information")
    start = own.choose(plan)
    assert own.params.compose is not None
    rows, environment = own.world(start, plan, own.params.compose)
    np.testing.assert_array_equal(rows[environment.best.base], start)
    log = RunLog()
    end = composed(own, start, plan, log, {})
    assert TOY.labels[end].tolist() == TOY.labels[start].tolist()
    assert set(end.tolist()) <= set(rows.tolist())
    values = [row["best_value"] for row in log.history]
    assert len(values) == 3
    assert values == sorted([environment.best.value, *values])[1:]
    assert (values[-1] > environment.best.value) == (not np.array_equal(start, end))


@pytest.mark.parametrize(("decisions", "episodes"), [(1000, 2), (239, 1), (1, 1)])
def test_the_agent_has_as_many_episodes_as_its_decisions_allow(teacher: Path, decisions: int, episodes: int) -> None:
    """An episode of 24 places and five steps is 120 of them; one more follows without exploring."""
    compose = {**contract.QUICK["mps3"]["compose"], "decisions": decisions}
    own, plan, log = desk(teacher, compose=compose), Plan(4, 1.0, "information"), RunLog()
    composed(own, own.choose(plan), plan, log, {})
    assert len(log.history) == episodes + 1


def test_refinement_moves_pixels_where_a_trial_finds_them_better(
    teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay where it does not, and where a class has many; feature_regression's tests tell which way they move."""
    log, worth = RunLog(), [0.4]
    still = made(teacher, **PLAIN, pictures=[4], sure=[1.0])

    def trial(self: Desk, images: Callable[[int], torch.Tensor], count: int) -> float:
        moved = not np.array_equal(self.scale.pixels(images(0)), still.images)
        return worth[0] if moved else 0.3

    monkeypatch.setattr(Desk, "trial", trial)
    refine = {**contract.QUICK["mps3"]["refine"], "steps": {"default": 11}, "image_learning_rate": 0.2, "firsts": []}
    moved = made(teacher, log, compose=None, refine=refine, pictures=[4], sure=[1.0])
    assert not np.allclose(moved.images, still.images, atol=1e-3)
    assert [row["step"] for row in log.history if "real_error" in row] == [0, 10]
    assert log.tables["refinement"]["held_out_accuracy"].tolist() == [0.3, 0.4]
    worth[0] = 0.3
    same = made(teacher, compose=None, refine=refine, pictures=[4], sure=[1.0])
    np.testing.assert_array_equal(same.images, still.images)
    worth[0] = 0.4
    many = {**refine, "most_pictures": 2 * 4 - 1}
    same = made(teacher, compose=None, refine=many, pictures=[4], sure=[1.0])
    np.testing.assert_array_equal(same.images, still.images)


def test_the_first_images_are_refined_by_themselves_and_stay_while_more_are(
    teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of them takes all the steps."""
    refine = {**contract.QUICK["mps3"]["refine"], "steps": {"default": 12}, "first_steps": 2, "firsts": [1, 10]}
    plain = {"compose": None, "pictures": [4], "sure": [1.0]}
    still = made(teacher, **plain, refine=None).images.reshape(3, 2, 8, 8, 1)

    def other(images: np.ndarray) -> np.ndarray:
        by_class = images.reshape(3, -1, 8, 8, 1)
        return (by_class != still[:, : by_class.shape[1]]).any((0, 2, 3, 4))

    monkeypatch.setattr(Desk, "trial", lambda self, images, count: float(other(self.scale.pixels(images(0))).sum()))
    log = RunLog()
    shorter = {**refine, "steps": {"default": 3, "toy": 2}, "most_pictures": 4}
    one = made(teacher, log, **plain, refine=shorter).images
    assert other(one).tolist() == [True, False]
    assert log.tables["refinement"]["held_out_accuracy"].tolist() == [0, 1]
    log = RunLog()
    both = made(teacher, log, **plain, refine={**refine, "most_pictures": 8}).images
    assert [row["step"] for row in log.history if "real_error" in row] == [0, 2, 12]
    assert other(both).tolist() == [True, True]
    np.testing.assert_array_equal(both[::2], one[::2])
    assert log.tables["refinement"]["first"].tolist() == [1, 1, 2, 2]
    assert log.tables["refinement"]["held_out_accuracy"].tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("saves", [2, 5, 8])
def test_a_stopped_run_goes_on_to_the_same_bytes(teacher: Path, tmp_path: Path, saves: int) -> None:
    """Two saves in lie among the agent's three episodes, five and eight among the steps of one image and of two."""
    whole = made(teacher)
    with pytest.raises(Stop):
        made(teacher, StoppingLog(tmp_path / "checkpoint.npz", saves))
    assert made(teacher, RunLog(checkpoint=tmp_path / "checkpoint.npz")).to_bytes() == whole.to_bytes()


def test_a_class_of_fewer_images_than_pictures_gives_some_twice(teacher: Path) -> None:
    params = contract.params_of("mps3", refine=None, pictures=[4], sure=[1.0])
    found = mps3.condense(TOY, images_per_class=10, params=params, seed=0, log=RunLog(), teacher=teacher)
    assert TOY.counts().min() < 4 * 10
    assert found.images.shape == (30, 8, 8, 1)


def test_a_class_with_too_few_images_or_pictures_that_do_not_fit_are_refused(teacher: Path) -> None:
    for count in (25, 18):
        with pytest.raises(InputError, match=f"{count} pictures do not fit an image of 8x8"):
            desk(teacher, pictures=[count])
    with pytest.raises(InputError, match="images per class 24 is not possible"):
        desk(teacher, images_per_class=24)
    other = replace(TOY, images=TOY.images[:-1], labels=TOY.labels[:-1])
    with pytest.raises(InputError, match="not trained on these 94 images"):
        Desk(other, 1, contract.params_of("mps3"), 0, teacher)


def test_steps_by_data_set_without_a_default_are_refused() -> None:
    refine = {**contract.QUICK["mps3"]["refine"], "steps": {"toy": 2}}
    with pytest.raises(InputError, match=r"refine\.steps.*values by data set need one under 'default'"):
        contract.params_of("mps3", refine=refine)


def test_the_first_images_of_each_class_are_a_set_of_their_own(teacher: Path) -> None:
    found = made(teacher, **PLAIN, labels="soft", pictures=[4], sure=[1.0])
    first = found.first(1)
    assert first.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(first.images, found.images[::2])
    assert first.soft_labels is not None
    assert first.provenance.images_per_class == 1
    assert first.provenance.learned["first_of"] == 2
    with pytest.raises(InputError, match="first 3 images of each class are not there"):
        found.first(3)
