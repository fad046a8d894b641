"""condense tune: what is refused, what is written, what is tracked, and what is changed in params.yaml."""

import json
from pathlib import Path
from typing import Any

import contract
import mlflow
import numpy as np
import pytest
from code_reach import ROOT
from scipy import stats

from condensation.core.errors import InputError
from condensation.core.files import write_json
from condensation.core.images import ImageSet
from condensation.core.params import check, override, read_params, section
from condensation.core.results import Spread
from condensation.core.tuned import Checked, ProxySearch, Search, TriedTrial
from condensation.reporting import tuning as reporting
from condensation.stages import confirm as confirming
from condensation.stages import tune as stage
from condensation.stages.apply import apply, changed_text
from condensation.stages.layout import Cell, Layout
from condensation.stages.proxy import sample, tune_proxy
from condensation.stages.report import report
from condensation.stages.study import StudyParams
from condensation.stages.tune import Order, tune
from condensation.tracking import EXPERIMENT, MlflowTracker, NullTracker
from condensation.tuning.agreement import agreement
from condensation.tuning.axes import Axis, extremes, own_values, with_values
from condensation.tuning.plan import TuningParams

TEXT = (ROOT / "params.yaml").read_text()
TREE = read_params(ROOT / "params.yaml")
CELL = Cell("toy", "distribution_matching", 1)
QUICK = {
    "methods.distribution_matching.iterations": "2",
    "methods.distribution_matching.network": "{name: convnet, width: 4}",
    "tuning.axes.distribution_matching": "{image_learning_rate: {low: 0.1, high: 10.0, log: true}}",
    "tuning.seeds": "[0, 1, 2]",
    "tuning.trials": "3",
    "tuning.judge": "{epochs: 1, min_steps: 2, max_steps: 4, networks: 1, network: {name: convnet, width: 4}}",
    "tuning.proxy.judge": "{epochs: 1, min_steps: 2, max_steps: 4, networks: 1, network: {name: convnet, width: 8}}",
    "tuning.proxy.axes": "{learning_rate: {low: 1e-4, high: 0.1, log: true}, network.width: {low: 4, high: 8}}",
    "tuning.proxy.trials": "4",
    "tuning.proxy.seeds": "[0]",
    "tuning.proxy.check": "{configurations: 3, networks: 1, resamples: 100}",
    "judge.whole": "{epochs: 1, min_steps: 0, max_steps: 4, batch_size: 8}",
}


def tree(**changes: str) -> dict[str, Any]:
    """params.yaml with a budget of moments, and changes by dotted names."""
    found: dict[str, Any] = TREE
    for name, text in {**QUICK, **changes}.items():
        found = override(found, name, text)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Layout:
    """A prepared toy data set without a test split: whoever opens it fails."""
    train = contract.toy(counts=(20, 20, 20))
    rest, held = train.split(0.3, 0)
    rest.save(tmp_path / "data/prepared/toy/train.npz")
    held.save(tmp_path / "data/prepared/toy/validation.npz")
    facts = {"params": TREE["prepare"], "mean": [0.3], "std": [0.2], "splits": {"train": {"sha256": rest.sha256}}}
    write_json(tmp_path / "data/prepared/toy/facts.json", facts)
    (tmp_path / "data/raw/toy").mkdir(parents=True)
    return Layout(tmp_path)


def searched(layout: Layout, values: dict[str, Any], tracker: Any = None, **order: Any) -> Search:
    return tune(layout, values, CELL, Order(**order), source="toy", tracker=tracker or NullTracker())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tuning.axes.distribution_matching": "{}"}, "methods.distribution_matching has no axes"),
        ({"tuning.axes.distribution_matching": "{iterationz: {low: 1, high: 2}}"}, "unknown key 'iterationz' in "),
        ({"tuning.axes.distribution_matching": "{iterations: {low: 9, high: 3}}"}, "the range from 9 to 3 is empty"),
        ({"tuning.axes.distribution_matching": "{iterations: {low: 3, high: 3}}"}, "the range from 3 to 3 is empty"),
        (
            {"tuning.axes.distribution_matching": "{iterations: {low: 0, high: 3, log: true}}"},
            "starts above 0, not at 0",
        ),
        ({"tuning.axes.distribution_matching": "{iterations: {choices: []}}"}, "choices must be at least one"),
        ({"tuning.axes.distribution_matching": "{iterations: {low: 1}}"}, "needs choices, or low and high"),
        ({"tuning.axes.distribution_matching": "{iterations: {low: 1, hihg: 3}}"}, "hihg is unknown"),
        ({"tuning.goals": "[seconds]"}, r"goals are \[accuracy\], or \[accuracy, seconds\]"),
        ({"tuning.pruner": "{name: median}"}, "tuning.pruner.name is 'median'"),
        ({"tuning.seeds": "[]"}, "tuning.seeds is"),
    ],
)
def test_a_faulty_search_is_refused_before_any_work(project: Layout, changes: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        searched(project, tree(**changes))
    assert "\n" not in str(told.value)
    assert not project.journal.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods.distribution_matching.network": "{name: convnte}"}, "convnte"),
        ({"tuning.axes.distribution_matching": "{image_learning_rate: {low: 0.0, high: 1.0}}"}, "greater than 0"),
        ({"tuning.judge": "{epochs: 0}"}, "judge.epochs is 0"),
    ],
)
def test_what_no_trial_could_use_is_refused_before_data_are_fetched(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        searched(Layout(tmp_path), tree(**changes))
    assert not (tmp_path / "data").exists()


def test_more_is_refused(project: Layout) -> None:
    with pytest.raises(InputError, match="unknown method with axes 'random'; allowed: distribution_matching, dsa"):
        tune(project, tree(), Cell("toy", "random", 1), Order(), source="toy", tracker=NullTracker())
    with pytest.raises(InputError, match="--trials is 0; allowed: 1 or more"):
        searched(project, tree(), trials=0)


def test_every_axis_of_params_yaml_names_a_parameter_and_holds_its_value() -> None:
    plan = section(TREE, "tuning", TuningParams)
    for method, axes in plan.axes.items():
        for dataset in ("digits", "mnist"):
            assert own_values(TREE["methods"][method], axes, dataset), method


def test_an_axis_of_a_parameter_by_data_set_changes_the_entry_of_its_own() -> None:
    values = {"choosing": {"epochs": {"default": 30, "digits": 4}, "patience": 3}}
    axes = {"choosing.epochs": Axis(low=1, high=40)}
    assert own_values(values, axes, "digits") == {"choosing.epochs": 4}
    assert own_values(values, axes, "mnist") == {"choosing.epochs": 30}
    assert with_values(values, {"choosing.epochs": 7}, "mnist")["choosing"]["epochs"] == {
        "default": 30,
        "digits": 4,
        "mnist": 7,
    }
    assert values["choosing"]["epochs"] == {"default": 30, "digits": 4}
    assert len(list(extremes(values, axes, "mnist"))) == 2
    assert own_values(values, {"choosing.epochs": Axis(low=5, high=40)}, "digits") is None


@pytest.mark.slow
def test_a_search_is_tracked_written_resumed_and_reported(project: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root}/mlflow.db")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(stage, "commit", lambda _: "abc")
    found = searched(project, tree(), MlflowTracker(project.root), trials=2)
    own, other = found.trials
    assert own.values == {"image_learning_rate": 1.0} != other.values
    assert [len(trial.scores) for trial in found.trials if trial.state == "complete"] == [3] * found.count("complete")
    assert found.own is not None
    assert found.own.mean == pytest.approx(np.mean(own.scores))
    assert found.score.mean == max(t.score for t in found.trials if t.score is not None)
    told = json.loads((project.root / "reports/tuning/toy-distribution_matching.json").read_text())
    assert told["best"] == found.best
    assert told["commit"] == "abc"
    monkeypatch.setattr(stage, "commit", lambda _: "def")
    assert (project.root / "reports/tuning/tuning-toy-distribution_matching-history.png").exists()
    _check_tracked(found)
    again = searched(project, tree(), trials=2)
    assert again.trials == found.trials, "nothing was left to do"
    assert again.commit == "abc", "the code that tried, not what is checked out now"
    page = report(project.root, [], NullTracker())
    assert "Parameters of methods" in page.read_text()
    assert "tuning-toy-distribution_matching-history.png" in page.with_suffix(".md").read_text()
    with pytest.raises(InputError, match="begun with other parameters"):
        searched(project, tree(**{"methods.distribution_matching.iterations": "3"}))


def _check_tracked(found: Search) -> None:
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    parent, *children = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    assert parent.info.status == "FINISHED"
    assert [item.path for item in client.list_artifacts(parent.info.run_id, "best")] == ["best/set.npz", "best/set.png"]
    assert [run.data.tags["mlflow.parentRunId"] for run in children] == [parent.info.run_id] * 2
    assert [run.data.tags["trial_state"] for run in children] == [trial.state for trial in found.trials]
    assert {run.info.status for run in children} == {"FINISHED"}
    for run, trial in zip(children, found.trials, strict=True):
        assert run.data.params == {name: str(value) for name, value in trial.values.items()}
        points = client.get_metric_history(run.info.run_id, "validation_accuracy")
        assert [(p.step, p.value) for p in points] == list(enumerate(trial.scores))


def test_a_killed_trial_is_marked_in_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    tracker = MlflowTracker(tmp_path)
    run = tracker.parent("a trial", {"x": 1}, {"study": "s"})
    assert tracker.parent("a trial", {"x": 1}, {"study": "s"}) == run
    assert tracker.parent("a trial", {"x": 1}, {"study": "t"}) != run
    for notes in ({"run": run}, {}, {"run": "0" * 32}):
        stage.Killed(tracker).told(notes)
    ended = mlflow.MlflowClient().get_run(run)
    assert (ended.info.status, ended.data.tags["trial_state"]) == ("KILLED", "killed")


BEST = {
    "choosing.epochs": 9,
    "choosing.patience": 10,
    "environment.reward": "agreement",
    "environment.reward_scale": 31.5,
    "q.discount": 0.9,
}


def test_params_yaml_survives_being_read_and_written() -> None:
    assert changed_text(TEXT, "mps2u", {"choosing.patience": 10}, "digits") == TEXT


@pytest.mark.parametrize("method", ["mps2u", "mps2", "mps1_gan"])
def test_apply_changes_one_method_and_no_comment(tmp_path: Path, method: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    shown: list[str] = []
    assert apply(path, method, BEST, "digits", lambda text: bool(shown.append(text)) or True)
    after = read_params(path)
    wanted = with_values(TREE["methods"][method], BEST, "digits")
    assert after == {**TREE, "methods": {**TREE["methods"], method: wanted}}
    assert _comments(path.read_text()) >= _comments(TEXT)
    assert list(after["methods"]) == list(TREE["methods"])
    assert list(after["methods"][method]) == list(TREE["methods"][method])
    assert "+      discount: 0.9" in shown[0]
    assert not apply(path, method, BEST, "digits", lambda text: True), "there is nothing more to write"


def _comments(text: str) -> set[str]:
    return {line[line.index("# ") :] for line in text.splitlines() if "# " in line}


def test_apply_asks_and_takes_no(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT)
    assert not apply(path, "mps2u", BEST, "digits", lambda text: False)
    assert path.read_text() == TEXT


def checked(scores: list[tuple[float, float]]) -> list[Checked]:
    return [
        Checked(
            trial=place,
            values={"learning_rate": 0.1},
            condensed_accuracy=mine,
            condensed_seconds=1.0,
            whole_accuracy=whole,
            whole_seconds=10.0,
        )
        for place, (mine, whole) in enumerate(scores)
    ]


PAIRS = [(50.0, 90.0), (60.0, 91.0), (55.0, 95.0), (70.0, 94.0), (60.0, 97.0), (40.0, 80.0)]


def test_agreement_is_that_of_scipy() -> None:
    found = agreement(checked(PAIRS), resamples=1000, seed=0)
    mine, whole = zip(*PAIRS, strict=True)
    assert found.spearman.value == pytest.approx(stats.spearmanr(mine, whole).statistic)
    assert found.kendall.value == pytest.approx(stats.kendalltau(mine, whole).statistic)
    assert found.regret == 97 - 94
    assert (found.time_ratio, found.seconds_saved) == (10, 54)
    data = (np.array(mine), np.array(whole))
    told = stats.bootstrap(
        data,
        lambda x, y: stats.spearmanr(x, y).statistic if np.ptp(x) and np.ptp(y) else 0.0,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=1000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.spearman.ci_low == pytest.approx(told.low, abs=0.15)
    assert found.spearman.ci_high == pytest.approx(told.high, abs=0.05)


def test_agreement_of_equals() -> None:
    perfect = agreement(checked([(x, 2 * x) for x in (1.0, 2.0, 3.0, 4.0)]), resamples=200, seed=0)
    assert (perfect.spearman.value, perfect.kendall.value, perfect.regret) == (1, 1, 0)
    flat = agreement(checked([(5.0, x) for x in (1.0, 2.0, 4.0)]), resamples=200, seed=0)
    assert (flat.spearman.value, flat.kendall.value) == (0, 0)
    assert flat.regret == 3, "a set that tells nothing apart may choose the worst"


def trial(number: int, score: float | None) -> TriedTrial:
    scores = [] if score is None else [score]
    state = "pruned" if score is None else "complete"
    return TriedTrial(number=number, state=state, values={"x": float(number)}, scores=scores, seconds=1.0, cost=1.0)


def test_a_check_takes_trials_evenly_by_rank() -> None:
    trials = [trial(number, score) for number, score in enumerate([5.0, None, 9.0, 1.0, 7.0, 3.0])]
    assert [t.number for t in sample(trials, 3)] == [0, 2, 3]
    assert [t.number for t in sample(trials, 50)] == [0, 2, 3, 4, 5]
    with pytest.raises(InputError, match="--check compares configurations, and 2 are complete; allowed: 3 or more"):
        sample(trials[:3], 3)


@pytest.mark.slow
def test_a_network_is_searched_on_a_set_and_checked_on_the_whole(project: Layout, tmp_path: Path) -> None:
    train = ImageSet.load(project.prepared("toy") / "train.npz", "toy")
    contract.make("random", train, 0, tmp_path).save(tmp_path / "set.npz")
    found = tune_proxy(project, tree(), tmp_path / "set.npz", Order(), checked=True, tracker=NullTracker())
    assert [t.state for t in found.trials] == ["complete"] * 4
    assert set(found.best) == {"learning_rate", "network.width"}
    assert found.agreement is not None
    assert len(found.agreement.configurations) == 3
    assert found.best_trial in [one.trial for one in found.agreement.configurations]
    name = "proxy-toy-random-2-seed-0"
    (read,) = reporting.read_tuned(project.root / "reports/tuning")
    assert read == found
    assert (project.root / f"reports/tuning/{name}-agreement.png").exists()
    before = found.agreement.configurations
    again = tune_proxy(project, tree(), tmp_path / "set.npz", Order(), checked=True, tracker=NullTracker())
    assert again.agreement is not None
    assert again.agreement.configurations == before, "what was trained on the whole set is not trained again"
    contract.make("random", train, 1, tmp_path).save(tmp_path / "other.npz")
    all_four = tree(**{"tuning.proxy.check": "{configurations: 4, networks: 1, resamples: 100}"})
    other = tune_proxy(project, all_four, tmp_path / "other.npz", Order(), checked=True, tracker=NullTracker())
    assert other.agreement is not None
    on_both = {one.trial: one.whole_seconds for one in other.agreement.configurations}
    assert {one.trial: one.whole_seconds for one in before}.items() < on_both.items(), "nor is it for another set"
    contract.make("random", contract.toy(counts=(20, 20, 20)), 0, tmp_path).save(tmp_path / "both.npz")
    with pytest.raises(InputError, match=r"both\.npz was made from other training images"):  # and of validation ones
        tune_proxy(project, tree(), tmp_path / "both.npz", Order(), checked=False, tracker=NullTracker())
    plain = tune_proxy(project, tree(), tmp_path / "set.npz", Order(), checked=False, tracker=NullTracker())
    assert plain.agreement is None
    axes = {"tuning.proxy.axes": "{widht: {low: 4, high: 8}}"}
    with pytest.raises(InputError, match="unknown key 'widht'"):
        tune_proxy(project, tree(**axes), tmp_path / "set.npz", Order(), checked=False, tracker=NullTracker())


def search(**changes: Any) -> Search:
    trials = [trial(0, 80.0), trial(1, 90.0), trial(2, None).model_copy(update={"scores": [70.0]})]
    fields = {
        "dataset": "digits",
        "method": "mps2u",
        "images_per_class": 10,
        "goals": ["accuracy"],
        "seeds": [0],
        "best": {"x": 1.0},
        "best_trial": 1,
        "score": Spread.of([89.0, 91.0]),
        "own": Spread.of([79.0, 81.0]),
        "gain": Spread.of([9.0, 11.0]),
        "importance": {"x": 0.7, "y": 0.3},
        "front": [1],
        "trials": trials,
        "seconds": 75.0,
        "hardware": "two cores",
        "commit": None,
    }
    return Search(**{**fields, **changes})


def test_the_best_values_are_tested_on_seeds_that_no_trial_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(confirming, "study", lambda layout, values, name, given: told.append((layout, values, name)))
    best = {"choosing.epochs": 9, "q.discount": 0.9}
    cell, found = Cell("digits", "mps2u", 10), search(best=best, seeds=[0, 1, 5])
    folder = confirming.confirm(Layout(tmp_path), TREE, cell, found, source="digits")
    ((layout, values, name),) = told
    assert layout.root == folder == tmp_path / "runs/tuned-digits-mps2u-10"
    assert reporting.read_tuned(folder / "reports/tuning") == [found]
    assert values["seeds"] == [6, 7, 8]
    wanted = check(values["studies"][name], StudyParams, "studies")
    assert wanted.named() == {"tuned": {"choosing.epochs": {"default": 30, "digits": 9}, "q.discount": 0.9}}
    assert (wanted.datasets, wanted.methods, wanted.images_per_class) == (["digits"], ["mps2u"], [10])
    assert wanted.own
    assert TREE["methods"]["mps2u"]["choosing"]["epochs"]["digits"] != 9
    own = own_values(TREE["methods"]["mps2u"], {name: Axis(low=0.0, high=99.0) for name in best}, "digits")
    assert confirming.confirm(Layout(tmp_path), TREE, cell, search(best=own), source="digits") is None
    assert len(told) == 1
    with pytest.raises(InputError, match="other parameters"):
        confirming.confirm(Layout(tmp_path), TREE, cell, search(best={"q.discount": 0.8}), source="digits")
    assert reporting.read_tuned(folder / "reports/tuning") == [found]


def test_the_report_tells_a_search(tmp_path: Path) -> None:
    (table,) = reporting.tables([search()])
    (row,) = table.rows
    assert [cell.text for cell in row] == [
        "Digits, MPS2U, 10 per class",
        "90.0",
        "80.0",
        "+10.0",
        "3",
        "1.2 min",
        "x 1",
    ]
    assert row[4].note == "1 pruned"
    names = [drawing.name for drawing in reporting.drawings(search())]
    assert names == ["tuning-digits-mps2u-history", "tuning-digits-mps2u-importance"]
    both = search(goals=["accuracy", "seconds"], front=[1], importance={})
    assert [drawing.name for drawing in reporting.drawings(both)][-1] == "tuning-digits-mps2u-front"
    (row,) = reporting.tables([search(own=None, gain=None)])[0].rows
    assert [cell.text for cell in row[2:4]] == ["not tried", "not tried as it was"]


def test_the_report_tells_how_a_set_ranks() -> None:
    proxy = ProxySearch(
        **search().model_dump(), sha256="0" * 64, set_seed=0, agreement=agreement(checked(PAIRS), resamples=100, seed=0)
    )
    first, *others = reporting.tables([search(), proxy])
    assert [table.name for table in others] == [
        "Parameters of methods",
        "Parameters of a network, on a condensed set",
    ]
    (row,) = first.rows
    assert row[0].text == "Digits, MPS2U, 10 per class, seed 0"
    assert row[3].text == "3.0"
    assert reporting.drawings(proxy)[-1].name == "proxy-digits-mps2u-10-seed-0-agreement"


def test_a_page_of_a_search_alone_says_nothing_of_what_it_does_not_show(tmp_path: Path) -> None:
    write_json(tmp_path / "reports/tuning/digits-mps2u.json", search().model_dump(mode="json"))
    text = report(tmp_path, [], NullTracker()).with_suffix(".md").read_text()
    assert text.startswith("# Search: Digits\n\n## Searches\n")
    assert not [words for words in ("fresh networks on test data", "the test set", "none") if words in text]
    assert "the test set" not in report(tmp_path, [("digits", "mps2u", 10)], NullTracker()).read_text()


def test_a_file_that_is_no_search_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "digits-mps2u.json", {"best": 1})
    with pytest.raises(InputError, match=r"digits-mps2u\.json is not a Search"):
        reporting.read_tuned(tmp_path)
