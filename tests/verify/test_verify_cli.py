"""`verify` in the shell: its documents, its sentences, its exit codes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from core.cli.app import app
from tests.support.trees import save, shard_of

pytestmark = pytest.mark.usefixtures("plain_environment")
KEYS = ["root", "run", "path", "outcome", "detail", "tensors", "bytes", "seconds", "problems", "problem_count"]
KEYS += ["unverifiable", "unverifiable_count", "restore"]


def run(*arguments: object) -> Result:
    """The command in this process."""
    return CliRunner().invoke(app, ["verify", *[str(argument) for argument in arguments]])


def answer(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
    """Its JSON document, after its exit code was checked."""
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def a_root(tmp_path: Path) -> Path:
    """Run a with three checkpoints: a whole one, one with a flipped byte, one without its shard."""
    root = tmp_path / "data"
    save(root / "a" / "ckpts", 10)
    flipped = shard_of(save(root / "a" / "ckpts", 20))
    content = bytearray(flipped.read_bytes())
    content[1] ^= 4
    saved = flipped.stat().st_mtime_ns
    flipped.write_bytes(content)
    os.utime(flipped, ns=(saved, saved))  # else the scan looks closer at a shard that is younger than its index
    shard_of(save(root / "a" / "ckpts", 30)).unlink()
    shard_of(save(root / "b", 1)).unlink()
    return root


def test_one_checkpoint_by_any_of_its_names(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    (document,) = answer("a/ckpts/ckpt-10", "--root", root)
    assert list(document) == KEYS
    assert (document["root"], document["run"], document["path"]) == (str(root), "a", "a/ckpts/ckpt-10")
    assert (document["outcome"], document["tensors"], document["problems"]) == ("verified", 6, [])
    assert document["bytes"] == shard_of(root / "a" / "ckpts" / "ckpt-10").stat().st_size
    assert document["restore"] is None
    (again,) = answer(root / "a" / "ckpts" / "ckpt-10", "--root", root, "--cached")
    assert {**again, "seconds": 0} == {**document, "seconds": 0}


def test_a_run_verifies_what_can_be_restored(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    documents = {item["path"]: item for item in answer("a", "--root", root, code=1)}
    assert set(documents) == {"a/ckpts/ckpt-10", "a/ckpts/ckpt-20"}
    (problem,) = documents["a/ckpts/ckpt-20"]["problems"]
    assert documents["a/ckpts/ckpt-20"]["outcome"] == "damaged"
    assert (problem["rule"], problem["count"]) == ("checksum-mismatch", 0)
    assert problem["name"].startswith("model/kernel")


def test_sentences_go_to_stdout_and_what_is_wrong_to_stderr(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    result = run("a", "--root", root)
    assert result.exit_code == 1
    lines = sorted(result.stdout.splitlines())
    assert lines == [
        "a/ckpts/ckpt-10: verified. 6 tensors passed.",
        "a/ckpts/ckpt-20: damaged. 1 tensor did not pass, of 6 tensors that were read.",
    ]
    assert "checksum-mismatch: The checksum of bytes 0 to 24 of ckpt-20.data-00000-of-00001" in result.stderr


def test_restore_lets_tensorflow_read_it(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    (good,) = answer("a/ckpts/ckpt-10", "--root", root, "--restore")
    assert good["restore"]["ok"]
    assert good["restore"]["detail"].endswith("read all 6 tensors.")
    (bad,) = answer("a/ckpts/ckpt-20", "--root", root, "--restore", code=1)
    assert not bad["restore"]["ok"]


def test_what_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    result = run("a/ckpts/ckpt-99", "--root", root)
    assert result.exit_code == 2
    assert "There is no checkpoint of that name either" in result.stderr
    assert run("b", "--root", root).exit_code == 3
    assert answer("a/ckpts/ckpt-30", "--root", root, code=1)[0]["outcome"] == "damaged"
