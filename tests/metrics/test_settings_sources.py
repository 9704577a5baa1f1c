"""Parameters out of the files that jobs and their tools leave: flat names, numbers as numbers."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import FormatError
from core.metrics.limits import MOST_WHOLE_BYTES
from core.metrics.records import Point, ProblemKind, Reading
from core.metrics.registry import source_of
from core.metrics.yaml_text import parse
from fuzz.memory import MemoryStore


def read(path: str, content: str, **others: str) -> Reading:
    files = {path: content, **others}
    source = source_of(
        path, lambda folder: [one.rpartition("/")[2] for one in files if one.rpartition("/")[0] == folder]
    )
    assert source is not None
    return source.read(MemoryStore({name: text.encode() for name, text in files.items()}), path, None)


NESTED = {
    "lr": 0.001,
    "opt": {"name": "adam", "betas": [0.9, 0.99]},
    "bs": 64,
    "on": True,
    "none": None,
    "big": 1 << 70,
}
FLAT = {
    "lr": 0.001,
    "opt.name": "adam",
    "opt.betas": "[0.9, 0.99]",
    "bs": 64,
    "on": True,
    "none": None,
    "big": str(1 << 70),
}


@pytest.mark.parametrize(
    "path", ["params.json", "config.json", "args.json", "hparams.yaml", ".hydra/config.yaml", ".guild/attrs/flags"]
)
def test_nested_settings_are_flattened(path: str) -> None:
    content = json.dumps(NESTED) if path.endswith("json") else yaml.safe_dump(NESTED)
    assert read(path, content).parameters == FLAT


def test_a_file_of_absl_flags_tells_its_flags_and_follows_no_other() -> None:
    content = "# made by hand\n--lr=1e-3\n--name=a=b\n--nouse_gpu\n--verbose\n--flagfile=/etc/passwd\n-steps=100\n"
    expected = {"lr": 0.001, "name": "a=b", "use_gpu": False, "verbose": True, "steps": 100}
    assert read("flags.txt", content).parameters == expected
    assert read("flags.txt", "France\nGermany\n").is_foreign


def test_weights_and_biases_values_are_taken_out_of_their_wraps() -> None:
    content = yaml.safe_dump(
        {
            "wandb_version": 1,
            "_wandb": {"value": {"cli_version": "0.16"}},
            "lr": {"desc": None, "value": 0.1},
            "a": {"value": {"b": 2}},
        }
    )
    assert read("wandb/run-1/files/config.yaml", content).parameters == {"lr": 0.1, "a.b": 2}


def test_a_models_architecture_is_no_setting() -> None:
    assert read("config.json", '{"class_name": "Sequential", "config": {}}').is_foreign


def test_a_trial_of_keras_tuner_tells_its_values_and_the_mean_of_its_executions() -> None:
    history = {"direction": "min", "observations": [{"value": [0.5, 0.25], "step": 3}, {"value": ["NaN"], "step": 4}]}
    trial = {
        "trial_id": "7",
        "hyperparameters": {"space": [], "values": {"units": 32, "lr": 0.01}},
        "metrics": {"metrics": {"val_loss": history, "broken": 5}},
    }
    reading = read("tuner/trial_7/trial.json", json.dumps(trial))
    assert reading.parameters == {"units": 32, "lr": 0.01}
    assert [(one.tag, one.points()[0].x, one.points()[0].value) for one in reading.series] == [("val_loss", 3, 0.375)]
    assert read("trial_7/trial.json", '{"name": "x"}').is_foreign


# As MLflow 3.17 wrote them; MLflow itself is not among the development tools.
META = "lifecycle_stage: deleted\nrun_id: 0ce6ffa1710246eb883d20f5c33b07d8\nstatus: 1\n"
RUN = "892193361978081387/0ce6ffa1710246eb883d20f5c33b07d8"


def test_mlflows_metrics_and_parameters_are_read_also_of_a_run_that_is_deleted() -> None:
    meta = {f"{RUN}/meta.yaml": META}
    lines = "1700000000123 0.5 0\n1700000000124 nan 10\n1700000000125 -1e-07 -3 data 2fb8\n17 0.5\n"
    (loss,) = read(f"{RUN}/metrics/val/loss", lines, **meta).series
    assert loss.tag == "val/loss"
    expected = [
        Point(0, 1700000000.123, 0.5),
        Point(10, 1700000000.124, float("nan")),
        Point(-3, 1700000000.125, -1e-07),
        Point(0, 0.017, 0.5),
    ]
    assert repr(loss.points()) == repr(expected)
    for name, text, value in (
        ("lr", "0.001", 0.001),
        ("opt/name", "adam", "adam"),
        ("n", "7", 7),
        ("on", "True", True),
    ):
        assert read(f"{RUN}/params/{name}", text, **meta).parameters == {name: value}


def test_a_broken_line_of_mlflows_hides_no_other() -> None:
    reading = read("r/metrics/loss", "1 0.5 0\nx\n2 0.25 1\n3 0", **{"r/meta.yaml": META})
    assert reading.series[0].values.tolist() == [0.5, 0.25, 0.0]
    assert [(one.kind, one.offset) for one in reading.problems] == [(ProblemKind.CORRUPT, 8)]


def test_what_is_too_large_is_said_and_not_read() -> None:
    reading = read("params.json", '{"a": "' + "x" * MOST_WHOLE_BYTES + '"}')
    assert [one.kind for one in reading.problems] == [ProblemKind.TOO_LARGE]
    many = read("params.json", json.dumps({str(number): number for number in range(3_000)}))
    assert len(many.parameters) == 2_000
    assert [one.kind for one in many.problems] == [ProblemKind.TOO_LARGE]


YAML = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False) | st.text("ab é:#-'\n1"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-1", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(YAML, st.booleans())
def test_yaml_is_read_as_pyyaml_reads_it(value: object, flow: bool) -> None:
    content = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert parse(content.encode(), "x") == _with_text_keys(yaml.safe_load(content))


def _with_text_keys(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(inner) for key, inner in value.items()}
    return [_with_text_keys(one) for one in value] if isinstance(value, list) else value


def test_yaml_with_anchors_merges_and_tags_makes_plain_values_only() -> None:
    content = b"""base: &b {lr: 1e-3, n: 2}
run: {<<: *b, n: 3}
x: !!python/object/apply:os.system ['echo']
y: !!str 5
z: *b
"""
    expected = {
        "base": {"lr": 0.001, "n": 2},
        "run": {"lr": 0.001, "n": 3},
        "x": ["echo"],
        "y": "5",
        "z": {"lr": 0.001, "n": 2},
    }
    assert parse(content, "x") == expected


def test_numbers_without_end_are_text() -> None:
    times, digits = "1" + ":11" * 3_000, "1" * 9_000
    assert read("config.yaml", f"a: {times}\nb: {digits}\nc: 0x{digits}").parameters == {
        "a": times[:4095] + "…",
        "b": digits[:4095] + "…",
        "c": f"0x{digits}"[:4095] + "…",
    }


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (BOMB, "too-large"),
        ("[" * 500, "too-large"),
        ("- " * 500, "too-large"),
        ("a: &x [*x]", "corrupt"),
        ("a: *nobody", "corrupt"),
        ("a: [1, 2", "corrupt"),
        ("a: \x01", "corrupt"),
        ("? [a, b]\n: 1", "unsupported"),
    ],
    ids=["bomb", "deep", "deep-block", "itself", "nobody", "cut", "control", "key"],
)
def test_hostile_yaml_is_refused(content: str, kind: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(content.encode(), "x")
    assert caught.value.kind == kind
