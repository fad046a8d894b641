"""Which source files a module reaches: its imports and theirs, those inside functions included."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


def source_of(dotted: str) -> Path | None:
    """The file of a module of ours, or None; a package counts only by what is imported from it."""
    path = SOURCE.joinpath(*dotted.split("."))
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None


def names(tree: ast.AST) -> set[str]:
    """Dotted names that are imported, imports for type checking alone left out."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        else:
            found |= names(node)
    return found


def reach(*modules: str) -> set[str]:
    """Source files, relative to the project's root, that these modules need."""
    seen: set[Path] = set()
    todo = [source_of(module) for module in modules]
    while todo:
        path = todo.pop()
        if path is None or path in seen:
            continue
        seen.add(path)
        todo += [source_of(name) for name in names(ast.parse(path.read_text())) if name.startswith("condensation.")]
    return {str(path.relative_to(ROOT)) for path in seen}
