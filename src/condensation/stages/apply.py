"""tune --apply: write the best values of a search into params.yaml, its comments and order kept."""

import copy
import difflib
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from condensation.core.files import write_text
from condensation.tuning.axes import Values, key_of, value_of


def apply(path: Path, method: str, values: Values, dataset: str, agree: Callable[[str], bool]) -> bool:
    """Change a method's section of the file at ``path`` and of no other; whether it was written.

    agree: shown the difference; only a yes lets it be written. A part that methods share by an anchor becomes this
    method's own.
    """
    before = path.read_text()
    after = changed_text(before, method, values, dataset)
    if after == before:
        print(f"{path} has these values already")
        return False
    names = (f"{path} as it is", f"{path} with the best values")
    difference = difflib.unified_diff(before.splitlines(True), after.splitlines(True), *names, n=1)
    if not agree("".join(difference)):
        return False
    write_text(path, after)
    return True


def changed_text(text: str, method: str, values: Values, dataset: str) -> str:
    """params.yaml with these values in a method's section."""
    yaml = _yaml()
    tree = yaml.load(text)
    own = tree["methods"][method]
    for name, value in values.items():
        if value_of(own, name, dataset) != value:
            *parents, last = key_of(own, name, dataset).split(".")
            _own(tree, ["methods", method, *parents])[last] = value
    buffer = io.StringIO()
    yaml.dump(tree, buffer)
    return _rejoined(buffer.getvalue(), text)


def _yaml() -> YAML:
    """Reads and writes as params.yaml is written."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _own(tree: CommentedMap, keys: list[str]) -> Any:
    """The part under ``keys``; what is shared with other parts on the way is copied first."""
    node: Any = tree
    for key in keys:
        if sum(part is node[key] for part in _parts(tree)) > 1:
            kept = {id(part): part for part in _parts(node[key]) if _anchored(part)}
            node[key] = copy.deepcopy(node[key], kept)
            node[key].yaml_set_anchor(None)
        node = node[key]
    return node


def _anchored(part: Any) -> bool:
    return isinstance(part, CommentedMap) and part.yaml_anchor() is not None


def _parts(node: Any) -> Iterator[Any]:
    """Every mapping below a node, a shared one as often as it is named."""
    if isinstance(node, dict):
        for value in node.values():
            yield value
            yield from _parts(value)


def _rejoined(text: str, original: str) -> str:
    """ruamel.yaml puts the comment behind an anchor on a line of its own; back to where it was."""
    trailing = {match[1] for match in re.finditer(r"\S +(#.*)$", original, re.MULTILINE)}
    alone = {match[1] for match in re.finditer(r"^ *(#.*)$", original, re.MULTILINE)}
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() in trailing - alone:
            lines[-1] += f"  {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
