"""Large but honest checkpoints are read; what is larger still is not told, and no damage."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from core.health.runs import judge_run
from tests.support import builders, hostile_files
from tests.support.builders import floats
from tests.support.bundle_files import put
from tests.support.keras_files import checkpoints


def bundle(*names: str) -> Callable[[Path], object]:
    return lambda folder: put(folder, builders.bundle([floats(name, 1) for name in names], "ckpt-1"))


def many_groups(folder: Path) -> None:
    """7,000 layers, each in two groups of its own."""
    with h5py.File(folder / "m.weights.h5", "w") as file:
        for number in range(7_000):
            file[f"layers/dense_{number}/vars/0"] = np.zeros(1, "float32")


@pytest.mark.parametrize(
    ("make", "variables"),
    [
        (bundle(*(f"layer_{number:05}/kernel" for number in range(50_001))), 50_001),
        (bundle("a" * 5_000, "b" * 5_000), 2),
        (many_groups, 7_000),
    ],
    ids=["variables", "long-keys", "groups"],
)
def test_large_ones_are_read(tmp_path: Path, make: Callable[[Path], object], variables: int) -> None:
    make(tmp_path)
    (item,) = checkpoints(tmp_path).values()
    assert (item.findings, item.restorable, item.facts.variables) == ((), True, variables)


def test_larger_ones_are_not_told_and_their_run_is_not_lost(tmp_path: Path) -> None:
    hostile_files.many_tensors(tmp_path)
    (item,) = checkpoints(tmp_path).values()
    (found,) = item.findings
    assert (found.rule, item.restorable) == ("not-told", False)
    assert "Copy" not in found.action
    assert list(judge_run("run", [[item]])) == []
