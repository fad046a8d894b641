"""Who may import whom, and one framework for each method's process: the house rules of docs/architecture.md."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from condensation.registry import JUDGES, METHODS

SOURCE = Path(__file__).parents[2] / "src" / "condensation"
RANK = {
    "core": 0,
    "selection": 1,
    "pytorch": 1,
    "tfkeras": 1,
    "data": 2,
    "registry": 2,
    "tracking": 2,
    "reporting": 2,
    "tuning": 2,
    "stages": 3,
    "api": 3,
    "benchmark_cli": 3.5,
    "cli": 4,
    "__main__": 5,
    "__init__": 5,
}
OUTSIDE = {
    "torch": {"pytorch/", "data/downloads.py"},
    "torchvision": {"pytorch/", "data/downloads.py"},
    "tensorflow": {"tfkeras/"},
    "keras": {"tfkeras/"},
    "mlflow": {"tracking.py"},
    "optuna": {"tuning/", "pytorch/agent_search.py"},  # there for the methods that search by themselves
    "stable_baselines3": {"pytorch/"},
    "matplotlib": {"reporting/"},
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, at the top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(dotted: str) -> str:
    """The room of the house in which a module of ours lies."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RANK else "__init__"


def wrong_arrows(files: dict[Path, set[str]]) -> list[str]:
    wrong = []
    for path, names in files.items():
        here = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for name in names:
            if not name.startswith("condensation.") and name != "condensation":
                continue
            there = room(name)
            allowed = here == there or RANK[there] < RANK[here] or (here == "api" and there in ("pytorch", "tfkeras"))
            if here == "__init__":
                allowed = there == "api"
            if here == "cli" and there == "__init__":
                allowed = True  # `from condensation import load`, the Python way
            if here == "stages" and name == "condensation":
                allowed = True  # the package's own folder, to digest its source
            if not allowed:
                wrong.append(f"{path.relative_to(SOURCE)} imports {name}")
    return wrong


FILES = {path: imports(path) for path in sorted(SOURCE.rglob("*.py"))}


def test_arrows_point_down() -> None:
    assert wrong_arrows(FILES) == []


def test_a_wrong_arrow_is_found() -> None:
    files = {
        SOURCE / "core" / "x.py": {"condensation.pytorch.judge"},
        SOURCE / "pytorch" / "x.py": {"condensation.tfkeras.agent"},
        SOURCE / "stages" / "x.py": {"condensation.core.images", "numpy"},
    }
    assert len(wrong_arrows(files)) == 2


@pytest.mark.parametrize("library", sorted(OUTSIDE))
def test_library_stays_in_its_room(library: str) -> None:
    rooms = OUTSIDE[library]
    strays = [
        str(path.relative_to(SOURCE))
        for path, names in FILES.items()
        if any(name.split(".")[0] == library for name in names)
        and not any(str(path.relative_to(SOURCE)).startswith(place) for place in rooms)
    ]
    assert strays == []


def test_no_file_has_a_name_that_explains_nothing() -> None:
    assert [path for path in FILES if path.stem in FORBIDDEN_NAMES] == []


FOREIGN = {"pytorch": ["tensorflow", "keras"], "tfkeras": ["torch"], "selection": ["torch", "tensorflow"]}


def loads_only_its_framework(stage: str, call: str, module: str) -> None:
    """Start a process that imports a stage, calls a function of the registry and looks at what got loaded."""
    code = (
        f"import sys; import condensation.stages.{stage}; from condensation import registry; registry.{call}; "
        f"loaded = [name for name in {FOREIGN[module.split('.')[1]]!r} if name in sys.modules]; "
        "sys.exit(f'{loaded} got loaded' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_loads_only_its_framework(method: str) -> None:
    loads_only_its_framework("condense", f"method_module({method!r})", METHODS[method].module)


@pytest.mark.parametrize("protocol", sorted(JUDGES))
def test_a_judge_loads_only_its_framework(protocol: str) -> None:
    loads_only_its_framework("evaluate", f"judge_module({protocol!r})", JUDGES[protocol])
