"""A folder is replaced as a whole or not at all."""

from pathlib import Path

import pytest

from condensation.core.errors import InputError
from condensation.data.whole_folder import whole_folder


def state(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def replace(target: Path, text: str, error: BaseException | None = None) -> None:
    """A folder with ``text`` in two files, or an error when one of them is written."""
    with whole_folder(target, mark="mark") as folder:
        assert list(folder.iterdir()) == []
        (folder / "sub").mkdir()
        (folder / "sub" / text).write_text(text)
        if error:
            raise error
        (folder / "mark").write_text(text)


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for text in ("old", "new"):
        replace(tmp_path / "a" / "set", text)
        assert state(tmp_path) == {f"a/set/sub/{text}": text, "a/set/mark": text}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(143)])
def test_an_error_keeps_the_old_folder_and_leaves_nothing_beside_it(tmp_path: Path, error: BaseException) -> None:
    replace(tmp_path / "set", "old")
    with pytest.raises(type(error)):
        replace(tmp_path / "set", "new", error)
    assert state(tmp_path) == {"set/sub/old": "old", "set/mark": "old"}
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_an_error_between_the_two_renames_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(tmp_path / "set", "old")
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == ".set.part":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output"):
        replace(tmp_path / "set", "new")
    assert state(tmp_path) == {"set/sub/old": "old", "set/mark": "old"}


def test_what_a_killed_process_left_is_cleared_and_put_back(tmp_path: Path) -> None:
    """Killed between the renames: the old folder lies aside, the new one is whole but not in place."""
    replace(tmp_path / "set", "old")
    (tmp_path / "set").rename(tmp_path / ".set.old")
    replace(tmp_path / ".set.part", "unfinished")
    with pytest.raises(ValueError, match="stop"):
        replace(tmp_path / "set", "new", ValueError("stop"))
    assert state(tmp_path) == {"set/sub/old": "old", "set/mark": "old"}


def test_what_was_not_written_here_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for name in ("mine", "file"):
        with pytest.raises(InputError, match=rf"{name} is in the way and was not written here \(it holds no mark\)"):
            replace(tmp_path / name, "new")
    assert state(tmp_path) == {"mine/photo.jpg": "dear", "file": "dear"}
    (tmp_path / "empty").mkdir()
    replace(tmp_path / "empty", "new")
    assert (tmp_path / "empty" / "mark").exists()
