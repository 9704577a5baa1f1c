"""The shell: its documents, its exit codes, what goes to stdout and what to stderr."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from core.base.facts import Contents, Format
from core.base.records import Health, SavedAtSource, Severity
from core.cli.app import app
from core.health.rules import RULES
from core.indexing import passes
from tests.runfolder.test_lock import holder
from tests.support.trees import index_of, save, shard_of, state, write

pytestmark = pytest.mark.usefixtures("plain_environment")
HERE = Path(__file__).parents[2]
ROW = {
    "root": str,
    "run": str,
    "path": str,
    "series": str,
    "format": str,
    "contents": str,
    "has_optimizer": bool,
    "step": (int, type(None)),
    "step_source": (str, type(None)),
    "epoch": (int, type(None)),
    "save_counter": (int, type(None)),
    "saved_at": str,
    "saved_at_source": str,
    "bytes": int,
    "files": int,
    "variables": (int, type(None)),
    "parameters": (int, type(None)),
    "bytes_by_role": dict,
    "restorable": bool,
    "health": str,
    "findings": list,
}
CHOICE = {
    "root": str,
    "run": str,
    "series": str,
    "checkpoint": (dict, type(None)),
    "passed_over": list,
    "tensorflow_latest": (str, type(None)),
    "tensorflow_error": (str, type(None)),
}
INDEX = {
    "roots": list,
    "runs": int,
    "checkpoints": int,
    "parsed": int,
    "reused": int,
    "rejudged": int,
    "reread": int,
    "waiting": int,
    "metric_files": int,
    "metric_files_waiting": int,
    "problems": list,
    "passed_over": list,
}


def run(*arguments: object) -> Result:
    """A command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: object, code: int = 0) -> Any:  # noqa: ANN401 - a JSON document
    """A command's JSON document, after its exit code was checked."""
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def has_the_keys(document: dict[str, object], keys: dict[str, Any]) -> None:
    assert list(document) == list(keys)
    for key, kind in keys.items():
        assert isinstance(document[key], kind), (key, document[key])
        assert kind is not int or not isinstance(document[key], bool)


def a_root(tmp_path: Path) -> Path:
    """Run a, whose newest checkpoint lost its shard, and run b, of which nothing is whole."""
    root = tmp_path / "data"
    for step in (10, 20):
        prefix = save(root / "a" / "ckpts", step)
    shard_of(prefix).unlink()
    state(root / "a" / "ckpts", "ckpt-20", "ckpt-10", "ckpt-20")
    shard_of(save(root / "b", 1)).unlink()
    return root


def test_index(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    document = answer("index", "--root", root)
    has_the_keys(document, INDEX)
    assert document == {
        "roots": [{"root": str(root), "problem": None}],
        "runs": 2,
        "checkpoints": 3,
        "parsed": 3,
        "reused": 0,
        "rejudged": 0,
        "reread": 0,
        "waiting": 0,
        "metric_files": 0,
        "metric_files_waiting": 0,
        "problems": [],
        "passed_over": [{"root": str(root), "links": [], "folders": []}],
    }
    assert answer("index", "--root", root)["parsed"] == 0
    assert run("index", "--root", root).stdout.startswith("2 runs, 3 checkpoints; 0 read, 0 known already")


def test_ls_of_every_sample_run_has_the_contracts_keys_and_values(samples: Path) -> None:
    documents = answer("ls", "--root", samples)
    assert len(documents) > 50
    for document in documents:
        has_the_keys(document, ROW | {"trial": (dict, type(None))})
        assert document["root"] == str(samples)
        assert document["format"] in {each.value for each in Format}
        assert document["contents"] in {each.value for each in Contents}
        assert document["health"] in {each.value for each in Health}
        assert document["saved_at_source"] in {each.value for each in SavedAtSource}
        assert document["saved_at"].endswith("Z")
        assert (document["step"] is None) == (document["step_source"] is None)
        assert list(document["bytes_by_role"]) == ["weights", "optimizer", "other"]
        rules = [RULES[rule] for rule in document["findings"]]
        assert document["restorable"] is not any(rule.severity is Severity.ERROR for rule in rules)
    by_path = {(document["run"], document["path"]): document for document in documents}
    newest = by_path["mnist-cnn", "mnist-cnn/checkpoints/ckpt-10"]
    assert (newest["step"], newest["save_counter"], newest["contents"]) == (300, 10, "weights_and_optimizer")
    assert (newest["format"], newest["files"], newest["restorable"]) == ("tf-bundle", 2, True)
    lost = by_path["two-tower", "two-tower/checkpoints/ckpt-6"]
    assert (lost["restorable"], lost["health"], lost["findings"]) == (
        False,
        "error",
        ["missing-shard", "newest-not-restorable"],
    )


def test_ls_is_newest_first_and_of_one_run_when_asked(samples: Path) -> None:
    documents = answer("ls", "mnist-cnn", "--root", samples)
    assert [document["path"].rpartition("-")[2] for document in documents] == ["10", "9", "8", "7"]
    assert answer("ls", samples / "mnist-cnn", "--root", samples, "--cached") == documents


def test_latest(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    (document,) = answer("latest", "a", "--root", root)
    has_the_keys(document, CHOICE)
    has_the_keys(document["checkpoint"], ROW)
    assert (document["run"], document["checkpoint"]["path"]) == ("a", "a/ckpts/ckpt-10")
    assert document["passed_over"] == [
        {
            "path": "a/ckpts/ckpt-20",
            "reasons": ["orphan-index: Its data shard is missing: ckpt-20.data-00000-of-00001."],
        }
    ]
    assert (document["tensorflow_latest"], document["tensorflow_error"]) == ("a/ckpts/ckpt-20", None)
    shown = run("latest", "a", "--root", root).stdout
    assert "passed over a/ckpts/ckpt-20: orphan-index" in shown
    assert "tf.train.latest_checkpoint: a/ckpts/ckpt-20" in shown


def test_latest_of_a_run_of_which_nothing_is_restorable_is_exit_3(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    (document,) = answer("latest", "b", "--root", root, code=3)
    assert document["checkpoint"] is None
    assert [each["path"] for each in document["passed_over"]] == ["b/ckpt-1"]
    assert "Nothing in b can be restored." in run("latest", "b", "--root", root).stderr
    result = run("resume", "b", "--root", root)
    assert (result.exit_code, result.stdout) == (3, "")
    assert not (root / "b" / "resume_manifest.json").exists()


def test_resume_writes_and_prints_the_manifest(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    result = run("resume", "a", "--root", root, "--note", "after the power cut")
    assert result.exit_code == 0, result.output
    manifest = json.loads(result.stdout)
    assert manifest == json.loads((root / "a" / "resume_manifest.json").read_bytes())
    assert (manifest["run"], manifest["checkpoint"]["path"], manifest["mode"]) == ("a", "ckpts/ckpt-10", "continue")
    assert (manifest["note"], manifest["restore"]["initial_step"]) == ("after the power cut", 10)
    assert f"written: {root}/a/resume_manifest.json" in result.stderr


@pytest.mark.parametrize("name", ["a/ckpts/ckpt-10", "ckpts/ckpt-10", "{root}/a/ckpts/ckpt-10"])
def test_resume_of_a_named_checkpoint(name: str, tmp_path: Path) -> None:
    root = a_root(tmp_path)
    save(root / "a" / "ckpts", 30)
    result = run("resume", "a", "--root", root, "--checkpoint", name.format(root=root), "--mode", "rewind")
    manifest = json.loads(result.stdout)
    assert (manifest["checkpoint"]["path"], manifest["mode"]) == ("ckpts/ckpt-10", "rewind")
    assert "rewind: Steps 20–30 (2 checkpoints, " in result.stderr


def test_resume_of_an_older_one_names_the_modes_and_writes_nothing(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    save(root / "a" / "ckpts", 30)
    result = run("resume", "a", "--root", root, "--checkpoint", "ckpt-10")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[0] == (
        "a/ckpts/ckpt-10: continue is not possible. Newer ones can be restored (ckpt-30): rewind sets them aside, "
        "fork leaves them."
    )
    assert "  --mode rewind: Steps 20–30 (2 checkpoints, " in result.stderr
    assert "  --mode fork: The new run a-from-10 gets a copy; a stays as it is, byte for byte." in result.stderr
    assert list(root.rglob("resume_manifest.json")) == []
    result = run("resume", "a", "--root", root, "--mode", "rewind")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rewind is not possible. Nothing is newer" in result.stderr


def test_resume_as_a_fork_writes_into_the_new_run(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    for name in ("a-from-10", "a-from-10-2"):
        result = run("resume", "a", "--root", root, "--mode", "fork", "--note", "wider")
        assert result.exit_code == 0, result.output
        manifest = json.loads(result.stdout)
        assert (manifest["run"], manifest["mode"], manifest["note"]) == (name, "fork", "wider")
        assert manifest == json.loads((root / name / "resume_manifest.json").read_bytes())
        assert f"written: {root}/{name}/resume_manifest.json" in result.stderr
    assert not (root / "a" / "resume_manifest.json").exists()
    assert answer("latest", "a-from-10", "--root", root)[0]["tensorflow_latest"] == "a-from-10/ckpts/ckpt-10"


def test_resume_hands_the_weights_alone_over_with_the_settings_that_are_given(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for step in (10, 20):
        save(root / "a" / "ckpts", step)
    wanted = ("resume", "a", "--root", root, "--weights-only", "--override", "learning_rate=0.5")
    refused = run(*wanted)
    assert refused.exit_code == 2
    assert "--mode fork: The new run a-from-20 gets a copy" in refused.output
    document = answer(*wanted, "--mode", "fork")
    assert (document["restore"]["weights_only"], document["overrides"]) == (True, {"learning_rate": 0.5})
    assert "weights-alone" in document["warnings_accepted"]
    told = run("resume", "a", "--root", root, "--override", "learning_rate=fast")
    assert (told.exit_code, "is no learning_rate" in told.output) == (2, True)


def test_the_rewind_of_a_live_run_needs_its_name(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    save(root / "a" / "ckpts", 30, at_ns=time.time_ns())
    wanted = ("resume", "a", "--root", root, "--checkpoint", "ckpt-10", "--mode", "rewind")
    result = run(*wanted)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The run 'a' is live" in result.stderr
    assert not (root / "a" / "resume_manifest.json").exists()
    result = run(*wanted, "--confirm", "a")
    assert (result.exit_code, json.loads(result.stdout)["mode"]) == (0, "rewind")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("a", "--checkpoint", "nothing"), "Run a has no checkpoint 'nothing'"),
        (("a", "--checkpoint", ""), "Run a has no checkpoint ''"),
        (("two",), "two has several series; say which with --checkpoint: two/x-1, two/y-1."),
        (("a", "--mode", "sideways"), "sideways"),
        (("nothing",), "There is no run 'nothing' under"),
    ],
    ids=["unknown-checkpoint", "empty-checkpoint", "several-series", "unknown-mode", "unknown-run"],
)
def test_a_wrong_resume_is_exit_2(arguments: tuple[str, ...], text: str, tmp_path: Path) -> None:
    root = a_root(tmp_path)
    for name in ("y-1", "x-1"):
        save(root / "two", 1, name=name, at_ns=10**18)
    result = run("resume", *arguments, "--root", root)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr
    assert list(root.rglob("resume_manifest.json")) == []


def test_a_broken_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    result = run("resume", "a", "--root", a_root(tmp_path), "--checkpoint", "ckpts/ckpt-20")
    assert (result.exit_code, result.stdout) == (3, "")


def test_several_roots_and_a_run_that_both_have(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    save(one / "exp", 1)
    save(two / "exp", 2)
    save(two / "other", 3)
    both = ("--root", one, "--root", two)
    assert [each["root"] for each in answer("index", *both)["roots"]] == [str(one), str(two)]
    assert {(each["root"], each["run"]) for each in answer("ls", *both)} == {
        *((str(one), "exp"), (str(two), "exp"), (str(two), "other"))
    }
    result = run("latest", "exp", *both, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"'exp' is a run in several roots: {one}/exp, {two}/exp. Give one of these paths." in result.stderr
    assert answer("latest", two / "exp", *both)[0]["checkpoint"]["step"] == 2
    assert answer("latest", f"{two}/./other/", *both)[0]["checkpoint"]["step"] == 3
    assert [each["root"] for each in answer("ls", "--root", one)] == [str(one)]


def test_cached_does_not_look(tmp_path: Path) -> None:
    root = tmp_path / "data"
    save(root / "exp", 1)
    assert run("latest", "exp", "--root", root, "--cached").exit_code == 2
    assert answer("ls", "--root", root, "--cached") == []
    assert len(answer("ls", "--root", root)) == 1
    save(root / "exp", 2)
    assert len(answer("ls", "--root", root, "--cached")) == 1
    assert len(answer("ls", "--root", root)) == 2


def test_a_root_that_cannot_be_read_is_exit_1_with_the_document(tmp_path: Path) -> None:
    root, gone = tmp_path / "data", tmp_path / "gone"
    save(root / "exp", 1)
    document = answer("index", "--root", gone, "--root", root, code=1)
    assert (document["runs"], document["roots"][1]) == (1, {"root": str(root), "problem": None})
    assert document["roots"][0]["problem"].startswith(f"{gone}: No such file or directory")
    assert len(answer("ls", "--root", gone, "--root", root, code=1)) == 1
    assert answer("latest", "exp", "--root", gone, "--root", root, code=1)[0]["checkpoint"]["step"] == 1
    assert "No such file or directory" in run("ls", "--root", gone).stderr


def test_the_configured_roots_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "one" / "exp", 1)
    save(tmp_path / "two" / "exp", 2)
    monkeypatch.setenv("WAYPOINT_ROOTS", f"{tmp_path}/one{os.pathsep}{tmp_path}/two")
    assert answer("index")["runs"] == 2
    assert answer("index", "--root", tmp_path / "one")["runs"] == 1


@pytest.mark.parametrize(
    "arguments",
    [("latest",), ("nonsense",), ("ls", "--nonsense"), ("ls", "nothing"), ("latest", "/etc")],
    ids=["no-run", "no-such-command", "no-such-option", "no-such-run", "outside"],
)
def test_wrong_use_is_exit_2_and_says_nothing_on_stdout(arguments: tuple[str, ...], tmp_path: Path) -> None:
    save(tmp_path / "data" / "exp", 1)
    result = run(*arguments, *(("--root", tmp_path / "data") if arguments[0] in ("ls", "latest") else ()))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_a_wrong_setting_is_exit_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_REFRESH", "often")
    result = run("ls", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "WAYPOINT_REFRESH" in result.stderr


def test_a_busy_catalog_is_exit_1_and_names_the_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "data" / "exp", 1)
    assert run("index", "--root", tmp_path / "data").exit_code == 0
    monkeypatch.setattr(passes, "WAIT_SECONDS", 0.1)
    with holder(tmp_path / "home") as process:
        result = run("index", "--root", tmp_path / "data", "--json")
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"is being written by process {process.pid} on " in result.stderr
        assert len(answer("ls", "--root", tmp_path / "data", "--cached")) == 1


def test_a_catalog_that_is_none_is_exit_1(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "catalog.sqlite3").write_bytes(b"nothing of the kind" * 100)
    result = run("ls", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "delete it and index again" in result.stderr


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9", "caf\\xe9"),
        (b"new\nline", "new\\x0aline"),
        (b"[bold red]x[/]", "[bold red]x[/]"),
        (b"a\\xff", "a\\x5cxff"),
        ("日本".encode(), "日本"),
    ],
    ids=["latin-1", "newline", "markup", "backslash", "japanese"],
)
def test_hostile_names_are_text_in_every_answer(name: bytes, shown: str, tmp_path: Path) -> None:
    folder = os.fsdecode(name)
    root = tmp_path / "data"
    shard_of(save(root / folder, 2)).unlink()
    save(root / folder, 1)
    os.mkdir(root / folder / os.fsdecode(b"\xff_temp"))
    nothing = 3 if {"[", "\\"} & set(folder) else 0  # TensorFlow takes these for a pattern, and restores nothing
    (document,) = answer("latest", shown, "--root", root, code=nothing)
    assert document["run"] == shown
    assert (document["checkpoint"] or {}).get("path") == (None if nothing else f"{shown}/ckpt-1")
    assert {each["path"] for each in answer("ls", "--root", root)} == {f"{shown}/ckpt-1", f"{shown}/ckpt-2"}
    for command in (("index",), ("ls",), ("latest", shown)):
        result = run(*command, "--root", root)
        assert result.exit_code == (nothing if command[0] == "latest" else 0)
        assert isinstance(result.exception, SystemExit | None)
    assert shown in run("latest", shown, "--root", root).output
    if not nothing:
        assert json.loads(run("resume", shown, "--root", root).stdout)["checkpoint"]["path"] == "ckpt-1"


def shell(*arguments: object, home: Path) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "core", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=HERE,
        env={**os.environ, "WAYPOINT_HOME": str(home)},
        check=False,
        timeout=60,
    )


def test_python_m_core(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    done = shell("index", "--root", root, "--root", tmp_path / "gone", "--json", home=tmp_path / "home")
    assert (done.returncode, json.loads(done.stdout)["checkpoints"]) == (1, 3)
    assert done.stderr.startswith(f"{tmp_path / 'gone'}: No such file or directory")
    done = shell("latest", "b", "--root", root, "--json", "--cached", home=tmp_path / "home")
    assert (done.returncode, json.loads(done.stdout)[0]["checkpoint"]) == (3, None)
    assert done.stderr == "Nothing in b can be restored.\n"
    done = shell("resume", "a", "--root", root, home=tmp_path / "home")
    assert (done.returncode, json.loads(done.stdout)["checkpoint"]["path"]) == (0, "ckpts/ckpt-10")


STATES = (
    "mnist-cnn/checkpoints",
    "review-sentiment/training_checkpoints",
    "wide-deep-tf1",
    "char-lm/checkpoints",
    "two-tower/checkpoints",
    "unet-segmentation/ckpts",
    "fashion-vae/training_checkpoints",
    "speech-rnn",
)


def test_tensorflow_gives_the_same_latest_for_every_sample_run(samples: Path) -> None:
    import tensorflow as tf

    assert sorted(path.parent.relative_to(samples).as_posix() for path in samples.rglob("checkpoint")) == sorted(STATES)
    shutil.copytree(samples / "mnist-cnn", samples / "pruned")
    for part in (samples / "pruned" / "checkpoints").glob("ckpt-10.*"):
        part.unlink()
    answer("index", "--root", samples)
    for folder in (*STATES, "pruned/checkpoints"):
        expected = tf.train.latest_checkpoint(str(samples / folder))
        documents = answer("latest", folder.partition("/")[0], "--root", samples, "--cached")
        for document in documents:
            found = document["tensorflow_latest"]
            assert (found and str(samples / found)) == expected, folder
        assert len(documents) == 1
    (moved,) = answer("latest", "speech-rnn", "--root", samples, "--cached")
    assert (moved["tensorflow_latest"], moved["checkpoint"]["path"]) == (None, "speech-rnn/rnn.ckpt-150")


def test_an_index_without_its_table_is_a_row_of_ls(tmp_path: Path) -> None:
    prefix = save(tmp_path / "data" / "exp", 1)
    write(prefix.parent, {index_of(prefix).name: index_of(prefix).read_bytes()[:50]})
    (document,) = answer("ls", "--root", tmp_path / "data")
    assert (document["restorable"], document["variables"]) == (False, None)
    assert document["findings"] == ["unreadable-index"]


def test_a_run_in_roots_inside_each_other_is_that_of_the_inner_one(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    result = run("latest", root / "a", "--root", root, "--root", root / "a", "--json")
    assert result.exit_code == 0
    assert {(item["root"], item["run"]) for item in json.loads(result.stdout)} == {(str(root / "a"), ".")}


def test_health_lists_every_finding_worst_first(samples: Path) -> None:
    documents = answer("health", "--root", samples)
    keys = dict.fromkeys(("root", "run", "path", "rule", "severity", "reason", "action"), str)
    for document in documents:
        has_the_keys(document, keys)
        rule = RULES[document["rule"]]
        assert (document["severity"], document["action"]) == (rule.severity.value, rule.action)
        assert document["root"] == str(samples)
    ranks = [Severity(document["severity"]).rank for document in documents]
    assert ranks == sorted(ranks, reverse=True)
    assert {document["run"] for document in documents if document["severity"] == "error"} == {
        "two-tower",
        "unet-segmentation",
    }
    assert answer("health", "two-tower", "--root", samples, "--cached") == [
        document for document in documents if document["run"] == "two-tower"
    ]


@pytest.mark.parametrize(
    ("run_name", "fail_on", "code"),
    [("two-tower", "error", 1), ("char-lm", "error", 0), ("char-lm", "warning", 1), ("review-sentiment", "warning", 0)],
)
def test_health_fails_on_the_severity_that_is_asked_for(run_name: str, fail_on: str, code: int, samples: Path) -> None:
    assert run("health", run_name, "--fail-on", fail_on, "--root", samples).exit_code == code
    assert run("health", run_name, "--root", samples, "--cached").exit_code == 0


def test_health_says_all_clear(tmp_path: Path) -> None:
    save(tmp_path / "runs" / "a", 1)
    state(tmp_path / "runs" / "a", "ckpt-1")
    for path in (tmp_path / "runs").rglob("*"):
        os.utime(path)
    assert run("health", "--root", tmp_path / "runs").stdout == "All clear.\n"
    assert answer("health", "--root", tmp_path / "runs") == []


def test_health_has_one_line_for_findings_that_repeat_in_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for step in (5, 10, 95):
        shard_of(save(root / "a" / "ckpts", step)).unlink()
    save(root / "a" / "ckpts", 100)
    lines = run("health", "--root", root).stdout.splitlines()
    (line,) = [line for line in lines if "orphan-index" in line]
    assert "a/ckpts/ckpt-5 … ckpt-95" in line
    assert "3 × The index is there, none of its data shards is." in line
    each = run("health", "--root", root, "--each").stdout.splitlines()
    assert sum("orphan-index" in line for line in each) == 3
    assert sum(item["rule"] == "orphan-index" for item in answer("health", "--root", root)) == 3


def test_before_the_first_look_nothing_is_called_clear(tmp_path: Path) -> None:
    done = run("health", "--cached", "--root", a_root(tmp_path))
    assert "All clear" not in done.stdout
    assert "Nothing was looked at yet" in done.stderr
