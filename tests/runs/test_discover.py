"""Run discovery: the rule as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runs.discover import deepest_run, find_runs, is_inner

INNER = (
    *("checkpoint", "checkpoints", "ckpt", "ckpts", "training_checkpoints", "best_ckpt", "weights", "model"),
    *("models", "saved_model", "saved_models", "export", "exported", "best_exporter", "logs", "tb"),
    *("tensorboard", "summaries", "plugins", "train", "validation", "val", "eval", "eval_holdout"),
    *("test", "backup", "chief", "variables", "artifacts", ".guild", "workertemp_1"),
    *("checkpoint-500", "checkpoint_000003", "ckpt-7", "step_1000", "global_step200", "epoch-3"),
)
NAMED = (
    "20240501-120000",
    "1",
    "0001",
    "2024-05-01",
    "exp",
    "training",
    "lr=0.1",
    "seed-3",
    "latest",
    "run_1",
    "evals",
    "epochs-50",
    "step",
    "checkpoint-v2",
)


@pytest.mark.parametrize("name", [*INNER, *(name.upper() for name in INNER)])
def test_a_folder_of_this_name_is_a_part_of_the_run_above(name: str) -> None:
    assert is_inner(name)
    assert find_runs([f"exp/{name}"], [], []) == {"exp"}
    assert find_runs([f"exp/checkpoints/{name}"], [], []) == {"exp"}


@pytest.mark.parametrize("name", NAMED)
def test_a_folder_of_another_name_is_a_run(name: str) -> None:
    assert not is_inner(name)
    assert find_runs([f"exp/{name}", "other/x"], [], []) == {f"exp/{name}", "other/x"}


@pytest.mark.parametrize(
    ("plain", "folder_units", "expected"),
    [
        pytest.param(["logs/fit/20240501-120000/train"], [], {"logs/fit/20240501-120000"}, id="timestamp-keeps"),
        pytest.param(["logs/fit/1/train", "logs/fit/2/train"], [], {"logs/fit/1", "logs/fit/2"}, id="numbers-keep"),
        pytest.param(["exp/ckpts", "exp/logs/train"], [], {"exp"}, id="one-run-of-two-parts"),
        pytest.param(["exp", "exp/sub/ckpts"], [], {"exp", "exp/sub"}, id="a-run-in-a-run"),
        pytest.param([], ["exp/export/1", "exp/export/2"], {"exp"}, id="exports-start-at-their-parent"),
        pytest.param([], ["exp/checkpoints/300"], {"exp"}, id="orbax-step-starts-at-its-parent"),
        pytest.param([], ["exp/17"], {"exp"}, id="numbered-export-in-a-run"),
        pytest.param([], ["models/resnet"], {""}, id="export-below-an-inner-name-of-the-root"),
        pytest.param(["exp/Checkpoints"], [], {"exp"}, id="case-does-not-matter"),
        pytest.param(["a/eval_x/b/model"], [], {"a/eval_x/b"}, id="climbing-ends-at-the-first-other-name"),
        pytest.param([], [], set(), id="nothing"),
    ],
)
def test_without_markers(plain: list[str], folder_units: list[str], expected: set[str]) -> None:
    assert find_runs(plain, folder_units, []) == expected


@pytest.mark.parametrize(
    ("plain", "folder_units", "expected"),
    [
        pytest.param([""], [], {""}, id="holds-a-unit-directly"),
        pytest.param([], ["1"], {""}, id="holds-a-checkpoint-folder-directly"),
        pytest.param([], [""], {""}, id="is-a-checkpoint-folder"),
        pytest.param(["ckpts", "logs/train"], [], {""}, id="all-children-are-parts"),
        pytest.param(["ckpts", "exp/ckpts"], [], {"ckpts", "exp"}, id="one-child-is-a-run"),
        pytest.param(["", "ckpts", "exp/ckpts"], [], {"", "exp"}, id="direct-unit-beside-a-run"),
        pytest.param(["train/1", "ckpts"], [], {"train/1", ""}, id="all-children-are-parts-one-has-a-run"),
        pytest.param(["exp/a"], [], {"exp/a"}, id="never-for-a-run-below"),
    ],
)
def test_the_root_is_a_run(plain: list[str], folder_units: list[str], expected: set[str]) -> None:
    assert find_runs(plain, folder_units, []) == expected


@pytest.mark.parametrize(
    ("plain", "markers", "expected"),
    [
        pytest.param(["exp/a/ckpts", "exp/b/ckpts"], ["exp"], {"exp"}, id="the-nearest-ancestor"),
        pytest.param(["exp/a/ckpts"], ["exp", "exp/a"], {"exp/a"}, id="the-nearer-of-two"),
        pytest.param(["exp/ckpts"], ["exp/ckpts"], {"exp/ckpts"}, id="even-where-the-name-is-a-part"),
        pytest.param(["exp/a/ckpts"], [""], {""}, id="the-root"),
        pytest.param(["exp/a/ckpts"], ["exp/a/ckpts/below", "other"], {"exp/a"}, id="others-do-not-matter"),
        pytest.param(["exp-2/ckpts"], ["exp"], {"exp-2"}, id="a-common-beginning-is-no-ancestor"),
    ],
)
def test_markers_win_over_names(plain: list[str], markers: list[str], expected: set[str]) -> None:
    assert find_runs(plain, [], markers) == expected


@pytest.mark.parametrize(
    ("patterns", "plain", "expected"),
    [
        pytest.param(["exp/*"], ["exp/a/b/ckpts"], {"exp/a"}, id="one-component"),
        pytest.param(["*/*", "*"], ["exp/a/ckpts"], {"exp"}, id="the-shallowest-match"),
        pytest.param(["*"], ["exp/a/b"], {"exp"}, id="not-across-a-slash"),
        pytest.param(["**/seed-?"], ["x/y/seed-1/ckpts", "x/seed-22"], {"x/y/seed-1", "x/seed-22"}, id="any-depth"),
        pytest.param(["logs"], ["logs/a"], {"logs"}, id="wins-over-inner-names"),
        pytest.param(["/exp/"], ["exp/a"], {"exp"}, id="slashes-around"),
        pytest.param(["a.b"], ["a.b/x", "axb/x"], {"a.b", "axb/x"}, id="a-dot-is-a-dot"),
        pytest.param(["nothing"], ["exp/ckpts"], {"exp"}, id="no-match-falls-back"),
        pytest.param(["a*"], ["a\nb/ckpts"], {"a\nb"}, id="a-newline-in-the-name"),
    ],
)
def test_a_pattern_wins(patterns: list[str], plain: list[str], expected: set[str]) -> None:
    assert find_runs(plain, [], ["exp/a/b/ckpts"], patterns) == expected


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("exp/a/ckpts", "exp/a"),
        ("exp/a", "exp/a"),
        ("exp/b", "exp"),
        ("exp-2", None),
        ("", None),
    ],
)
def test_a_folder_belongs_to_its_deepest_run(folder: str, expected: str | None) -> None:
    assert deepest_run(folder, frozenset({"exp", "exp/a"})) == expected


paths = st.lists(st.sampled_from([*INNER[:4], "exp", "1", "a b"]), max_size=5).map("/".join)


@given(st.lists(paths), st.lists(paths), st.lists(paths))
def test_every_unit_has_a_run_at_or_above_its_start(plain: list[str], units: list[str], markers: list[str]) -> None:
    runs = find_runs(plain, units, markers)
    starts = {*plain, *(unit.rpartition("/")[0] for unit in units)}
    assert all(deepest_run(start, runs) is not None for start in starts)
    assert all(any(start == run or not run or start.startswith(f"{run}/") for start in starts) for run in runs)
