"""Optimizer state of TensorFlow 1 under the names that its optimizers and jobs give it, with them as the oracle."""

import json

import pytest

from core.base.facts import Role
from core.formats import bundle
from core.stores.local import LocalStore
from tests.support.write_slots import OPTIMIZERS
from tests.support.written import written_folder


@pytest.mark.parametrize(("number", "name"), list(enumerate(OPTIMIZERS)))
def test_an_optimizers_variables_are_those_that_it_made(number: int, name: str) -> None:
    folder = written_folder(("write_slots.py",))
    storage = LocalStore(str(folder / f"{number}"))
    files = {file.name: file for file in storage.members("").files}
    facts, variables = bundle.read(storage, "", "model.ckpt-0", files, bundle.BundleCache())
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))[name]
    assert sorted(one.name for one in variables if one.role is Role.OPTIMIZER) == told
    assert facts.has_optimizer
    weights = {one.name for one in variables if one.role is Role.WEIGHT}
    assert {one.removesuffix("/ExponentialMovingAverage") for one in weights} == {
        "tower/net/dense/kernel",
        "tower/net/dense/bias",
        "tower/net/scale",
    }
