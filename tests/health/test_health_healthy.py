"""Healthy runs of every format and of every sample trainer have no finding above info."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.facts import Format
from tests.conftest import Opener
from tests.support import bundle_files, keras_files
from tests.support.training import look
from tests.support.written import written_folder

# What happened to sample runs on purpose (sample_runs/README.md).
ACCIDENTS = {
    "char-lm": "interrupted-save",
    "two-tower": "missing-shard",
    "unet-segmentation": "orphan-index",
    "fashion-vae": "orphan-shard",
    "speech-rnn": "moved-run",
}


WRITTEN = {
    Format.TF_BUNDLE,
    Format.SAVED_MODEL,
    Format.KERAS,
    Format.HDF5,
    Format.WEIGHTS_H5,
    Format.WEIGHTS_H5_SHARDED,
    Format.ORBAX,
}
WRITERS: dict[str, tuple[Callable[[], Path], set[Format]]] = {
    "bundles": (bundle_files.folder, {Format.TF_BUNDLE}),
    "keras, SavedModel and Orbax": (keras_files.folder, WRITTEN),
    "V1": (lambda: written_folder(("write_v1.py",)), {Format.TF_V1}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_the_frameworks_wrote_is_healthy(name: str, workspace: Opener) -> None:
    write, formats = WRITERS[name]
    seen = look(workspace(write(), write_grace=0))
    assert seen.rules == []
    assert {item.format for item in seen.items.values()} == formats
    assert all(item.restorable for item in seen.items.values())


def test_sample_runs_but_for_their_accidents_are_healthy(samples: Path, workspace: Opener) -> None:
    seen = look(workspace(samples, write_grace=0))
    assert {path.split("/")[0] for path, _ in seen.rules} == ACCIDENTS.keys()
    assert {(path.split("/")[0], rule) for path, rule in seen.rules} >= set(ACCIDENTS.items())
    assert {item.run for item in seen.items.values()} == {path.name for path in samples.iterdir()}
