"""The command line: what is refused, in which words, and with which exit status."""

import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import contract
import numpy as np
import pytest
from code_reach import ROOT

from condensation import cli, load
from condensation.core.condensed import CondensedDataset
from condensation.core.files import read_json, read_npz, write_npz


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def condense(folder: Path, *words: str) -> Done:
    """The command line's main() in a folder that has the project's params.yaml; tracking is off."""
    if not (folder / "params.yaml").exists():
        shutil.copy(ROOT / "params.yaml", folder)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        patch.setenv("CONDENSATION_TRACKING", "off")
        patch.setattr(sys, "argv", ["condense", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits prepared."""
    folder = tmp_path_factory.mktemp("project")
    for stage in ("fetch", "prepare"):
        done = condense(folder, stage, "--dataset", "digits")
        assert done.returncode == 0, done.stderr
    return folder


CELL = ("condense", "--dataset", "digits", "--method", "random", "--images-per-class", "2")


def changed(words: tuple[str, ...], **options: str) -> tuple[str, ...]:
    """The words with the values of some options replaced."""
    new = list(words)
    for name, value in options.items():
        new[new.index("--" + name.replace("_", "-")) + 1] = value
    return tuple(new)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (changed(CELL, method="randon"), "unknown method 'randon'; allowed: distribution_matching, dsa"),
        (changed(CELL, images_per_class="5000"), "images per class 5000 is not possible on digits; allowed: 1.."),
        (changed(CELL, images_per_class="0"), "images per class 0 is not possible"),
        (changed(CELL, images_per_class="two"), "'two' is not a whole number; allowed: 1 or more"),
        (changed(CELL, dataset="digitz"), "digitz/train.npz does not exist"),
        ((*CELL, "--preset", "cpu"), "unknown preset of random 'cpu'; allowed: none"),
        ((*CELL, "--iterations", "5"), "unknown parameter 'iterations'"),
        ((*CELL, "--seeds", "[a]"), "seeds.0 is 'a'"),
        ((*CELL, "--seeds"), "--seeds needs a value"),
        ((*CELL, "stray"), "'stray' belongs to no option"),
        (("fetch", "--dataset", "no_such_set"), "no_such_set"),
        (("fetch", "--dataset", "digits", "--rooot", "runs"), "unknown parameter 'rooot'"),
        (("run", *CELL[1:], "--root", "."), "--root . holds the parameters' file"),
        (("run", *CELL[1:], "--judge.standard.epochs", "many"), "judge.standard.epochs is 'many'"),
        (("run", *CELL[1:], "--seeds", "[a]"), "seeds.0 is 'a'"),
        (("run", *changed(CELL, method="dsa")[1:], "--iterations", "-1"), "methods.dsa.iterations is -1"),
        (("study", "reward", "--judge.standard.epochs", "many"), "judge.standard.epochs is 'many'"),
        (("study", "minutes-dsa", "--studies.minutes-dsa.own", "3"), "studies.minutes-dsa.own is 3"),
        (("study", "reward", "--judge.standard.min-steps", "many"), "judge.standard.min_steps is 'many'"),
        (("show", "params.yaml"), "params.yaml is not"),
        (("export", "nothing.npz"), "nothing.npz does not exist"),
        (("evaluate", "--dataset", "digits", "--method", "random"), "--images-per-class is missing"),
        (("evaluate", "--dataset", "digits", "--judge.protocol", "soft"), "'soft'"),
        (("comparison",), "comparison.md does not exist"),
        (("tune", "--dataset", "digits"), "--method and --images-per-class must be given, or --proxy"),
        (("tune", *CELL[1:]), "unknown method with axes 'random'; allowed: distribution_matching"),
        (("tune", *changed(CELL, method="mps2u")[1:], "--check"), "--check needs --proxy"),
        (("tune", *changed(CELL, method="mps2u")[1:], "--storage", "a.db"), "unknown storage 'a.db'; allowed: journal"),
        (("tune", *changed(CELL, method="mps2u")[1:], "--trials", "0"), "--trials is 0; allowed: 1 or more"),
        (("tune", *changed(CELL, method="mps2u")[1:], "--tuning.goals", "[speed]"), "tuning.goals.0 is 'speed'"),
        (("tune", "--proxy", "nothing.npz"), "nothing.npz does not exist"),
        (("tune", "--proxy", "nothing.npz", "--method", "mps2u"), "leave out --method"),
        (("tune", "--proxy", "nothing.npz", "--apply"), "--apply writes a method's values"),
        (("tune", "--proxy", "nothing.npz", "--test"), "--test judges a method's values"),
        (("condens",), "condens"),
    ],
)
def test_a_mistake_ends_with_one_sentence_and_status_2(prepared: Path, words: tuple[str, ...], message: str) -> None:
    before = sorted(prepared.rglob("*"))
    done = condense(prepared, *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(prepared.rglob("*")) == before


def test_debug_shows_the_traceback(prepared: Path) -> None:
    command = [sys.executable, "-m", "condensation", *changed(CELL, method="randon"), "--debug"]
    done = subprocess.run(command, cwd=prepared, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    done = subprocess.run(command[:-1], cwd=prepared, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_failure_ends_with_status_1(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "data", tmp_path / "data")
    (tmp_path / "reports").write_text("a file where a folder is needed")
    done = condense(tmp_path, *CELL)
    assert done.returncode == 1
    assert done.stderr.startswith("condense: failed: ")
    assert "Traceback" not in done.stderr


def test_condense_show_and_export(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "data", tmp_path / "data")
    done = condense(tmp_path, *CELL, "--seeds", "[3, 4]")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "data/condensed/digits/random/ipc-2"
    assert sorted(path.name for path in folder.iterdir()) == ["seed-3.npz", "seed-3.png", "seed-4.npz", "seed-4.png"]
    shown = condense(tmp_path, "show", str(folder / "seed-3.npz"))
    assert '"method": "random"' in shown.stdout
    assert '"counts": {' in shown.stdout
    exported = condense(tmp_path, "export", str(folder / "seed-3.npz"), "--out", str(tmp_path / "images"))
    assert exported.returncode == 0, exported.stderr
    assert len(list((tmp_path / "images").glob("*/*.png"))) == 20
    named = condense(tmp_path, "export", str(folder / "seed-3.npz"))
    assert named.returncode == 0, named.stderr
    assert len(list((tmp_path / "digits-random-2-seed-3").glob("*/*.png"))) == 20
    again = condense(tmp_path, "export", str(folder / "seed-3.npz"), "--out", str(tmp_path / "images"))
    assert again.returncode == 2
    plain = condense(tmp_path, "export", str(folder / "seed-3.npz"), "--to", "npz", "--out", str(tmp_path / "x.npz"))
    assert plain.returncode == 0, plain.stderr
    with np.load(tmp_path / "x.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], load(folder / "seed-3.npz").images)


def test_the_first_images_of_sets_become_sets_that_are_judged(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "data", tmp_path / "data")
    seeds = ("--seeds", "[3]")
    assert condense(tmp_path, *CELL, *seeds).returncode == 0
    done = condense(tmp_path, "prefix", *CELL[1:], "--first", "1", *seeds)
    assert done.returncode == 0, done.stderr
    whole, first = (tmp_path / "data/condensed/digits" / name for name in ("random/ipc-2", "random@first-of-2/ipc-1"))
    np.testing.assert_array_equal(load(first / "seed-3.npz").images, load(whole / "seed-3.npz").images[::2])
    assert (first / "seed-3.png").exists()
    quick = ("--judge.standard.networks", "1", "--judge.standard.epochs", "1", "--judge.standard.network", "{width: 4}")
    judged = condense(tmp_path, *done.stdout.split()[1:], *quick, *seeds)
    assert judged.returncode == 0, judged.stderr
    for words, message in (
        (("--first", "3", *seeds), "the first 3 images of each class are not there; allowed: 1..2"),
        (("--first", "1", "--seeds", "[4]"), "has no set of seed 4; it has those of [3]"),
        (("--first", "1", "--variant", "other"), "there are no sets of digits random@other 2 per class"),
    ):
        refused = condense(tmp_path, "prefix", *CELL[1:], *words)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_a_set_is_judged_by_other_networks_beside_the_protocols_own(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "data", tmp_path / "data")
    quick = ("--seeds", "[0]", "--judge.standard.networks", "1", "--judge.standard.min_steps", "2")
    quick += ("--judge.standard.epochs", "1", "--judge.standard.network", "{width: 4}")
    assert condense(tmp_path, *CELL, *quick).returncode == 0
    for judge in ((), ("--judge-network", "mlp")):
        done = condense(tmp_path, "evaluate", *CELL[1:], *judge, *quick)
        assert done.returncode == 0, done.stderr
    folder = tmp_path / "reports/metrics/evaluate/digits/random"
    networks = {path.name: read_json(path)["network"] for path in folder.iterdir()}
    assert networks == {"ipc-2.json": "convnet", "ipc-2@mlp.json": "mlp"}
    assert condense(tmp_path, "report").returncode == 0
    assert "network mlp" in (tmp_path / "reports/comparison.md").read_text()
    refused = condense(tmp_path, "evaluate", *CELL[1:], "--judge-network", "mlpp")
    assert refused.returncode == 2
    assert "'mlpp'" in refused.stderr


def test_a_set_is_judged_in_other_ways_beside_the_protocols_own(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared / "data", tmp_path / "data")
    quick = ["--seeds", "[0]"]
    for protocol in ("standard", "paper"):
        for name, value in {"networks": "1", "min_steps": "2", "max_steps": "4", "network": "{width: 4}"}.items():
            quick += [f"--judge.{protocol}.{name}", value]
    words = changed(CELL, method="random_soft")[1:]
    teach = ("--teach.max_steps", "2", "--teach.network", "{width: 4}")
    assert condense(tmp_path, "teach", "--dataset", "digits", *quick[:2], *teach).returncode == 0
    assert condense(tmp_path, "condense", *words, *quick).returncode == 0
    made = tmp_path / "data/condensed/digits/random_soft/ipc-2/seed-0.npz"
    arrays = read_npz(made)
    told = json.loads(str(arrays["provenance"][()])) | {"learned": {"step_size": 0.05}}
    ways = [[], ["--judge", "standard"], ["--judge", "paper"], ["--condition", "no_augmentation"], ["--hard-labels"]]
    for way in ways:
        done = condense(tmp_path, "evaluate", *words, *way, *quick)
        assert done.returncode == 0, done.stderr
    refused = condense(tmp_path, "evaluate", *words, "--condition", "learned_step_size", *quick)
    assert refused.returncode == 2
    assert "random_soft learned none; allowed: sets of trajectory_matching" in refused.stderr
    write_npz(made, {**arrays, "provenance": np.array(json.dumps(told))})
    assert condense(tmp_path, "evaluate", *words, "--condition", "learned_step_size", *quick).returncode == 0
    assert condense(tmp_path, "evaluate", "--dataset", "digits", "--judge", "paper", *quick).returncode == 0
    folder = tmp_path / "reports/metrics/evaluate/digits"
    found = {str(path.relative_to(folder)): read_json(path) for path in folder.rglob("*.json")}
    assert {name: (one["protocol"], one["label_kind"]) for name, one in found.items()} == {
        "random_soft/ipc-2.json": ("standard", "soft"),
        "random_soft/ipc-2@paper.json": ("paper", "soft"),
        "random_soft/ipc-2@no_augmentation.json": ("standard.no_augmentation", "soft"),
        "random_soft/ipc-2@learned_step_size.json": ("standard.learned_step_size", "soft"),
        "random_soft/ipc-2@hard_labels.json": ("standard", "hard"),
        "whole@paper.json": ("paper", "hard"),
    }
    curves = [tuple(one["judgements"][0]["curve"]) for one in found.values()]
    assert len(set(curves)) == len(curves)  # each of them is another training
    assert condense(tmp_path, "report").returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--judge", "papers"), "unknown protocol of the judge 'papers'; allowed: keras, paper, standard"),
        (("--condition", "dark"), "unknown condition of the judge 'dark'; allowed: learned_step_size, no_augmentation"),
        (("--hard-labels",), "has hard labels, by which it is judged anyway"),
    ],
)
def test_a_way_to_judge_that_there_is_not_is_refused(
    prepared: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    shutil.copytree(prepared / "data", tmp_path / "data")
    assert condense(tmp_path, *CELL, "--seeds", "[0]").returncode == 0
    done = condense(tmp_path, "evaluate", *CELL[1:], "--seeds", "[0]", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "reports/metrics/evaluate").exists()


def test_the_keras_judge_takes_no_other_network_and_no_condition_of_the_others(prepared: Path) -> None:
    """In a process of its own: this one has PyTorch."""
    command = [sys.executable, "-m", "condensation", "evaluate", "--dataset", "digits", "--judge", "keras"]
    options = ["--judge-network", "mlp", "--condition", "no_augmentation"]
    done = subprocess.run([*command, *options], cwd=prepared, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "judge.keras.augmentation is unknown" in done.stderr
    assert "judge.keras.network.name is 'mlp'" in done.stderr


def test_export_keeps_labels_when_names_do_not_sort(tmp_path: Path) -> None:
    train = contract.toy()
    params = contract.params_of("random")
    made = CondensedDataset.of_selection(
        train, np.arange(len(train)), method="random", images_per_class=1, seed=0, params=params
    )
    names = ("shoe", "bag/case", "hat")
    arrays = {"images": made.images, "labels": made.labels}
    told = made.provenance.model_copy(update={"class_names": names})
    path = tmp_path / "set.npz"
    write_npz(path, {**arrays, "provenance": np.array(told.model_dump_json())})
    load(path).export_folder(tmp_path / "out")
    folders = sorted(folder.name for folder in (tmp_path / "out").iterdir())
    assert folders == ["0-shoe", "1-bag_case", "2-hat"]
    counts = [len(list((tmp_path / "out" / name).iterdir())) for name in folders]
    assert counts == np.bincount(made.labels).tolist()


def test_to_pandas(tmp_path: Path) -> None:
    train = contract.toy()
    made = contract.make("random", train, 0, tmp_path)
    made.save(tmp_path / "set.npz")
    frame = load(tmp_path / "set.npz").to_pandas()
    assert frame.shape == (6, 2 + 64)
    assert frame["class_name"].tolist() == [f"class {label}" for label in made.labels]
    np.testing.assert_array_equal(frame.iloc[:, 2:].to_numpy(), made.images.reshape(6, -1))
