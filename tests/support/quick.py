"""Which files of tests want a framework, a browser or another process: told by what they import, without importing."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "keras", "tf_keras", "jax", "orbax", "tensorboard", "keras_tuner", "playwright", "subprocess"}
# What conftest.py gives of them, for its own imports are everybody's.
HEAVY_FIXTURES = {"trainings", "small_disk"}


@functools.cache
def is_quick(path: Path) -> bool:
    """Whether a file, and every module of tests that it imports, does without what is heavy; also inside functions."""
    names = set(_imported(path))
    if any(name.partition(".")[0] in HEAVY for name in names):
        return False
    helpers = {_ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.startswith("tests.")}
    return all(is_quick(helper) for helper in helpers if helper.is_file() and helper.name != "conftest.py")


def _imported(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, and what it gives to pytest.importorskip."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{name.name}" for name in node.names))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "importorskip":
            yield from (str(item.value) for item in node.args if isinstance(item, ast.Constant))
