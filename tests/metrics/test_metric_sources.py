"""Which file belongs to which source, by names alone; and that every source survives what is none of its files."""

from collections.abc import Collection

import pytest

from core.metrics.registry import SOURCES, source_named, source_of
from core.metrics.spec import MetricSource
from fuzz.memory import MemoryStore

TREE = {
    "events.out.tfevents.1700000000.host": "tensorboard",
    "logs/train/events.out.tfevents.1.host.2.0.v2": "tensorboard",
    ".guild/events.out.tfevents.1": "tensorboard",
    ".guild/attrs/flags": "guild",
    "training.csv": "csv",
    "lightning_logs/version_0/metrics.csv": "csv",
    "lightning_logs/version_0/hparams.yaml": "yaml-settings",
    "dvclive/plots/metrics/train/loss.tsv": "csv",
    "dvclive/metrics.json": "json-log",
    "dvclive/params.yaml": "yaml-settings",
    "ray/trial/progress.csv": "csv",
    "ray/trial/result.json": "json-log",
    "ray/trial/params.json": "json-settings",
    "tuner/trial_00/trial.json": "keras-tuner",
    "mlruns/1/abc/meta.yaml": None,
    "mlruns/1/abc/metrics/loss": "mlflow",
    "mlruns/1/abc/metrics/val/loss": "mlflow",
    "mlruns/1/abc/params/lr": "mlflow",
    "mlruns/1/abc/tags/mlflow.runName": None,
    "metrics/loss": None,
    "hydra/.hydra/config.yaml": "hydra",
    "hydra/.hydra/overrides.yaml": None,
    "wandb/run-1/files/config.yaml": "wandb",
    "wandb/run-1/files/wandb-summary.json": "wandb",
    "wandb/run-1/files/wandb-metadata.json": None,
    "wandb/run-1/run-1.wandb": None,
    "config.json": "json-settings",
    "args.json": "json-settings",
    "flags.txt": "flags",
    "history.json": "json-log",
    "log.jsonl": "json-log",
    "trainer_state.json": "json-log",
    "vocab.json": None,
    "catalog.json": None,
    "ckpt-1.index": None,
    "checkpoint": None,
    "notes.txt": None,
}


def names_in(folder: str) -> Collection[str]:
    return {path.rpartition("/")[2] for path in TREE if path.rpartition("/")[0] == folder}


@pytest.mark.parametrize("path", TREE)
def test_a_file_is_known_by_its_name_and_its_neighbours(path: str) -> None:
    source = source_of(path, names_in)
    assert (source and source.name) == TREE[path]


def test_a_source_is_found_by_its_name() -> None:
    assert [source_named(source.name) for source in SOURCES] == list(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 99, b"\xff\xfe{", b"[" * 5000, b'{"a":' * 5000, b"&a [*a]", b"- - - x"]
)
def test_bytes_of_another_kind_give_nothing_and_are_survived(source: MetricSource, content: bytes) -> None:
    for path in (one for one, name in TREE.items() if name == source.name):
        store = MemoryStore({path: content, "mlruns/1/abc/meta.yaml": b""})
        reading = source.read(store, path, None)
        assert reading.series == ()
        if source.name != "mlflow":  # there a file is a parameter's value, whatever it holds
            assert reading.parameters == {}
