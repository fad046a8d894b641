"""Where a data set's files are looked for, and what is said when they are not found."""

from pathlib import Path

import numpy as np
import pytest
from picture_files import BOTH, flowers, write_folder, write_zip

from condensation.core.errors import InputError
from condensation.data import sources
from condensation.data.sources import OFFICIAL, dataset_name, find_local


def put(root: Path, folder: str, names: tuple[str, ...]) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / folder / name).write_bytes(b"x")


def npz(path: Path) -> Path:
    np.savez(path, images=np.zeros((4, 2, 2), np.uint8), labels=np.array([0, 1, 0, 1]))
    return path


def test_the_data_root_is_read_from_one_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONDENSATION_DATA", raising=False)
    assert sources.data_root() is None
    monkeypatch.setenv("CONDENSATION_DATA", "")
    assert sources.data_root() is None
    monkeypatch.setenv("CONDENSATION_DATA", str(tmp_path))
    assert sources.data_root() == tmp_path
    monkeypatch.setenv("CONDENSATION_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"CONDENSATION_DATA is '.*nowhere', which is not a folder"):
        sources.data_root()


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("mnist", "mnist"),
        ("my_flowers-2.1", "my_flowers-2.1"),
        ("/data/flowers.zip", "flowers"),
        ("~/flowers.npz", "flowers"),
        ("./flowers/", "flowers"),
        ("flowers.v2.zip", "flowers.v2"),
        ("sub/../flowers", "flowers"),
    ],
)
def test_a_path_has_the_name_of_its_last_part(dataset: str, name: str) -> None:
    assert dataset_name(dataset) == name


@pytest.mark.parametrize("dataset", ["", "my flowers", "/", "a;b", "-x", "/data/my flowers.zip", "größe"])
def test_a_name_that_cannot_name_a_folder_is_refused(dataset: str) -> None:
    with pytest.raises(InputError, match=r"data set name .* cannot be used; allowed: letters, digits"):
        dataset_name(dataset)


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_layout_of_torchvision_is_found(tmp_path: Path, name: str) -> None:
    official = OFFICIAL[name]
    for folder in official.folders:
        put(tmp_path / folder.replace(".", "dot"), folder, official.files)
        found = find_local(name, tmp_path / folder.replace(".", "dot"))
        assert found is not None
        assert (found.layout, set(found.files)) == (official.layout, set(official.files))
        assert all(path.name == file and path.is_file() for file, path in found.files.items())


@pytest.mark.parametrize("name", OFFICIAL)
def test_an_official_set_that_is_nowhere_has_to_be_downloaded(tmp_path: Path, name: str) -> None:
    assert find_local(name, None) is None
    assert find_local(name, tmp_path) is None
    for folder in OFFICIAL[name].folders:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / name).mkdir(exist_ok=True)
    assert find_local(name, tmp_path) is None


def test_a_part_of_an_official_set_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "MNIST/raw", sources.IDX_FILES[:3])
    with pytest.raises(InputError, match="MNIST/raw is incomplete: t10k-labels-idx1-ubyte missing"):
        find_local("mnist", tmp_path)


def test_layout_of_torchvision_then_folder_then_zip_then_arrays(tmp_path: Path) -> None:
    npz(tmp_path / "cifar10.npz")
    layouts = [getattr(find_local("cifar10", tmp_path), "layout", None)]
    write_zip(tmp_path / "cifar10.zip", flowers(BOTH))
    layouts.append(getattr(find_local("cifar10", tmp_path), "layout", None))
    write_folder(tmp_path / "cifar10", flowers(BOTH))
    layouts.append(getattr(find_local("cifar10", tmp_path), "layout", None))
    put(tmp_path, "cifar-10-batches-py", OFFICIAL["cifar10"].files)
    layouts.append(getattr(find_local("cifar10", tmp_path), "layout", None))
    assert layouts == ["arrays", "zip", "folder", "cifar"]


def test_own_images_are_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_zip(tmp_path / "flowers.zip", flowers(BOTH))
    write_folder(tmp_path / "leaves", flowers(BOTH), "inner/")
    npz(tmp_path / "stones.npz")
    assert find_local("flowers", tmp_path) == find_local(f"{tmp_path}/flowers.zip", None)
    assert find_local("flowers", tmp_path) == find_local("flowers.zip", tmp_path)
    found = find_local("flowers", tmp_path)
    assert found is not None
    assert found.files == {"flowers.zip": tmp_path / "flowers.zip"}
    leaves = find_local("leaves", tmp_path)
    assert leaves is not None
    assert leaves.files["train/rose/000.png"] == tmp_path / "leaves/inner/train/rose/000.png"
    assert len(leaves.files) == sum(BOTH.values())
    stones = find_local("stones", tmp_path)
    assert stones is not None
    assert stones.files == {"stones.npz": tmp_path / "stones.npz"}
    monkeypatch.chdir(tmp_path)
    here = find_local("./flowers.zip", None)
    assert here is not None
    assert here.files["flowers.zip"].resolve() == tmp_path / "flowers.zip"


def test_an_unknown_data_set_is_told_what_there_is_and_where_it_was_looked_for(tmp_path: Path) -> None:
    write_zip(tmp_path / "flowers.zip", flowers(BOTH))
    official = "cifar10, cifar100, digits, fashionmnist, "
    message = f"unknown data set 'flwers'; allowed: {official}flowers, mnist, svhn; looked for {tmp_path}/flwers, "
    with pytest.raises(InputError) as caught:
        find_local("flwers", tmp_path)
    assert str(caught.value).startswith(message)
    with pytest.raises(InputError, match=r"unknown data set 'flwers'; .*flwers\.zip .* CONDENSATION_DATA, .* not set"):
        find_local("flwers", None)


def test_capitals_do_not_name_an_official_set(tmp_path: Path) -> None:
    put(tmp_path, "MNIST/raw", sources.IDX_FILES)
    with pytest.raises(InputError, match=r"unknown data set 'MNIST'; allowed: .*mnist"):
        find_local("MNIST", tmp_path)


def test_paths_that_hold_no_data_set_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"nowhere\.zip does not exist; allowed: a folder, a \.zip or an \.npz"):
        find_local(f"{tmp_path}/nowhere.zip", None)
    with pytest.raises(InputError, match=r"notes\.txt is a \.txt file; allowed: a folder, a \.zip or an \.npz"):
        find_local(f"{tmp_path}/notes.txt", None)
    for root, dataset in ((tmp_path, "empty"), (None, f"{tmp_path}/empty")):
        with pytest.raises(InputError, match=r"empty holds no train/<class>/<name>\.png"):
            find_local(dataset, root)
