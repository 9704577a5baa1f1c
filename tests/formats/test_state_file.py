"""State files, with tf.train.latest_checkpoint and get_checkpoint_state as the oracle."""

import os
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.files import FileStat
from core.base.records import StateFile
from core.formats import state_file
from core.formats.wire.checkpoint_state_pb2 import CheckpointState
from core.runs.state_files import Answer, tensorflow_answer
from core.stores.local import LocalStore
from waypoint_resume.state_files import state_text

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 3\n"
OUTSIDE = "outside of the root: not looked at"


@pytest.fixture(scope="module")
def tf() -> ModuleType:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf: ModuleType = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    tf.get_logger().setLevel("CRITICAL")
    return tf


def named(*paths: str, field: str = "model_checkpoint_path") -> bytes:
    return "".join(f'{field}: "{path}"\n' for path in paths).encode()


def fill(root: Path, folder: str, files: tuple[str, ...], content: bytes) -> Path:
    """A folder with empty files and a state file; `<root>` in it stands for the root."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    (root / folder / "checkpoint").write_bytes(content.replace(b"<root>", os.fsencode(root)))
    return root / folder


def existing(files: tuple[str, ...]) -> set[str]:
    """What the indexer would know: prefixes with an index, and V1 files."""
    return {name.removesuffix(".index") for name in files}


def theirs(tf: ModuleType, folder: Path, root: Path) -> Answer:
    try:
        latest = tf.train.latest_checkpoint(str(folder))
    except (ValueError, tf.errors.OpError) as error:
        return Answer(error=type(error).__name__)
    return Answer(latest=None if latest is None else os.path.relpath(latest, root))


def ours(folder: Path, root: Path, files: tuple[str, ...]) -> Answer:
    store = LocalStore(str(root))
    inside = folder.relative_to(root).as_posix()
    inside = "" if inside == "." else inside
    state = state_file.read(store, inside, FileStat("checkpoint", 1 << 20, 7))
    answer = tensorflow_answer(state, str(root), existing(files))
    return Answer(error=answer.error.partition(":")[0]) if answer.error is not None else answer


INDEX = ("run/ckpt-1.index",)
CASES: dict[str, tuple[tuple[str, ...], bytes]] = {
    "relative": (INDEX, named("ckpt-1")),
    "relative-gone": (INDEX, named("ckpt-2")),
    "below": (("run/a/ckpt-1.index",), named("a/ckpt-1")),
    "above": (("other/ckpt-1.index",), named("../other/ckpt-1")),
    "dots": (INDEX, named("./a/.././ckpt-1")),
    "dot": (INDEX, named("./ckpt-1")),
    "absolute": (INDEX, named("<root>/run/ckpt-1")),
    "absolute-gone": (INDEX, named("<root>/old/ckpt-1")),
    "absolute-elsewhere-inside": (("other/ckpt-1.index",), named("<root>/other/ckpt-1")),
    "with-history": (INDEX, named("ckpt-1") + named("ckpt-0", "ckpt-1", field="all_model_checkpoint_paths")),
    "twice": (INDEX, named("ckpt-0", "ckpt-1")),
    "empty": (INDEX, b""),
    "blank": (INDEX, b" \n\n"),
    "comment": (INDEX, b"# nothing\n"),
    "only-history": (INDEX, named("ckpt-1", field="all_model_checkpoint_paths")),
    "only-time": (INDEX, b"last_preserved_timestamp: 1.5\n"),
    "empty-path": (INDEX, named("")),
    "garbage": (INDEX, b"\x01\x02 garbage {"),
    "words": (INDEX, b"hello world\n"),
    "unknown-field": (INDEX, named("ckpt-1") + b"more: 1\n"),
    "extension": (INDEX, named("ckpt-1") + b"[a.b]: 1\n"),
    "cut-in-string": (INDEX, named("ckpt-1")[:-3]),
    "cut-in-name": (INDEX, named("ckpt-1") + b"all_model_check"),
    "no-value": (INDEX, b"model_checkpoint_path:"),
    "wrong-type": (INDEX, b"model_checkpoint_path: 1\n"),
    "apostrophes": (INDEX, b"model_checkpoint_path: 'ckpt-1'\n"),
    "joined": (INDEX, b"model_checkpoint_path: 'ckpt' '-1'\n"),
    "windows-lines": (INDEX, named("ckpt-1").replace(b"\n", b"\r\n")),
    "byte-order-mark": (INDEX, b"\xef\xbb\xbf" + named("ckpt-1")),
    "not-utf-8": (INDEX, named("ckpt-1") + b"# \xff\n"),
    "not-utf-8-path": (INDEX, b'model_checkpoint_path: "ckpt-\xff"\n'),
    "escaped-not-utf-8": (INDEX, b'model_checkpoint_path: "ckpt-\\377"\n'),
    "escaped-surrogate": (INDEX, b'model_checkpoint_path: "ckpt-\\ud800"\n'),
    "escaped-utf-8": (("run/gr\u00f6\u00dfe.index",), b'model_checkpoint_path: "gr\\303\\266\\303\\237e"\n'),
    "utf-8": (("run/gr\u00f6\u00dfe.index",), named("gr\u00f6\u00dfe")),
    "lfs": (INDEX, LFS),
    "infinite-time": (INDEX, named("ckpt-1") + b"all_model_checkpoint_timestamps: 1e999\n"),
    "v1": (("run/model.ckpt",), named("model.ckpt")),
    "only-a-shard": (("run/ckpt-1.data-00000-of-00001",), named("ckpt-1")),
    "brackets": (("run/ckpt[1].index",), named("ckpt[1]")),
    "brackets-match": (("run/ckpt1.index",), named("ckpt[1]")),
    "brackets-not": (("run/ckpt1.index",), named("ckpt[!1]")),
    "brackets-caret": (("run/ckpt2.index",), named("ckpt[^1]")),
    "range": (("run/ckpt5.index",), named("ckpt[1-9]")),
    "open-bracket": (("run/ckpt[1.index",), named("ckpt[1")),
    "close-bracket": (("run/ckpt]1.index",), named("ckpt]1")),
    "bracket-in-brackets": (("run/ckpt].index",), named("ckpt[]]")),
    "empty-brackets": (("run/ckpt[].index",), named("ckpt[]")),
    "star": (("run/ckpt-1.index",), named("ckpt*")),
    "star-itself": (("run/ckpt*.index",), named("ckpt*")),
    "star-slash": (("run/a/ckpt-1.index",), named("*/ckpt-1")),
    "star-none": (("run/a/ckpt-1.index",), named("*pt-1")),
    "question": (("run/ckpt-1.index",), named("ckpt?1")),
    "question-slash": (("run/a/ckpt-1.index",), named("a?ckpt-1")),
    "backslash": (("run/a\\b.index",), named("a\\\\b")),
    "backslash-quotes": (("run/ab.index",), named("a\\\\b")),
    "backslash-star": (("run/a*.index",), named("a\\\\*")),
    "backslash-star-none": (("run/ab.index",), named("a\\\\*")),
    "backslash-end": (("run/a\\.index",), named("a\\\\")),
    "space": (("run/my ckpt.index",), named("my ckpt")),
}  # fmt: skip


@pytest.mark.parametrize(("files", "content"), CASES.values(), ids=CASES.keys())
def test_the_answer_is_tensorflows(tf: ModuleType, tmp_path: Path, files: tuple[str, ...], content: bytes) -> None:
    folder = fill(tmp_path, "run", files, content)
    answer = ours(folder, tmp_path, files)
    assert answer == theirs(tf, folder, tmp_path)


@pytest.mark.parametrize("folder", ["run[1]", "run*", "a\\b", "run?", "", "gr\u00f6\u00dfe"])
def test_a_folders_own_name_may_be_a_pattern(tf: ModuleType, tmp_path: Path, folder: str) -> None:
    files = (os.path.join(folder, "ckpt-1.index"),)
    made = fill(tmp_path, folder, files, named("ckpt-1"))
    assert ours(made, tmp_path, files) == theirs(tf, made, tmp_path)


def test_a_missing_file_and_a_folder_of_that_name_answer_nothing(tf: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert theirs(tf, tmp_path / "run", tmp_path) == Answer()
    (tmp_path / "run" / "checkpoint").mkdir()
    assert theirs(tf, tmp_path / "run", tmp_path) == Answer()
    state = state_file.read(LocalStore(str(tmp_path)), "run", FileStat("checkpoint", 4096, 7))
    assert state.unreadable == "Is a directory"
    assert tensorflow_answer(state, str(tmp_path), ()) == Answer()


@pytest.mark.parametrize(
    "path", ["/somewhere/else/ckpt-1", "../../ckpt-1", "<root>x/ckpt-1"], ids=["absolute", "relative", "sibling"]
)
def test_what_lies_outside_of_the_root_is_not_looked_at(tmp_path: Path, path: str) -> None:
    folder = fill(tmp_path, "run", INDEX, named(path))
    state = state_file.read(LocalStore(str(tmp_path)), "run", FileStat("checkpoint", 200, 7))
    answer = tensorflow_answer(state, str(tmp_path), {"run/ckpt-1", "ckpt-1"})
    assert answer.latest is None
    assert str(answer.error).endswith(OUTSIDE)
    assert folder.is_dir()


PROTO = CheckpointState(
    model_checkpoint_path="ckpt-2",
    all_model_checkpoint_paths=["ckpt-1", "ckpt-2"],
    all_model_checkpoint_timestamps=[1.5, 2.25],
    last_preserved_timestamp=1.0,
)


def test_every_field_is_kept_as_written() -> None:
    state = state_file.parse("run/checkpoint", text_format.MessageToString(PROTO).encode(), 9)
    assert state == StateFile(
        path="run/checkpoint", latest="ckpt-2", history=("ckpt-1", "ckpt-2"), times=(1.5, 2.25), mtime_ns=9
    )
    assert state_file.times_by_name(state) == {"ckpt-1": 1.5, "ckpt-2": 2.25}


def test_a_file_without_a_latest_keeps_its_history() -> None:
    state = state_file.parse("checkpoint", named("a", "b", field="all_model_checkpoint_paths"))
    assert (state.latest, state.history) == (None, ("a", "b"))
    assert str(state.error).startswith("ValueError")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((1.0,), {}),
        ((0.0, 2.0), {"b": 2.0}),
        ((-1.0, 2.0), {"b": 2.0}),
        ((float("inf"), 2.0), {"b": 2.0}),
        ((float("nan"), 2.0), {"b": 2.0}),
        ((1.0, 2.0), {"a": 1.0, "b": 2.0}),
    ],
    ids=["unpaired", "zero", "negative", "infinite", "not-a-number", "both"],
)
def test_times_that_are_none_are_left_out(times: tuple[float, ...], expected: dict[str, float]) -> None:
    state = StateFile(path="checkpoint", latest="x/b", history=("/old/a", "x/b"), times=times)
    assert state_file.times_by_name(state) == expected


def test_a_cut_anywhere_answers_as_tensorflow_does(tf: ModuleType, tmp_path: Path) -> None:
    files = ("run/ckpt-2.index",)
    content = text_format.MessageToString(PROTO).encode()
    outcomes = set()
    for length in range(len(content)):
        folder = fill(tmp_path, "run", files, content[:length])
        answer = ours(folder, tmp_path, files)
        assert answer == theirs(tf, folder, tmp_path), content[:length]
        outcomes.add((answer.latest, answer.error))
    assert outcomes == {("run/ckpt-2", None), (None, None), (None, "ValueError")}


def test_too_large_a_file_is_not_read(tmp_path: Path) -> None:
    size = state_file.MAX_SIZE + 1
    state = state_file.read(LocalStore(str(tmp_path)), "", FileStat("checkpoint", size, 7))
    assert state.unreadable == f"It is no state file of TensorFlow, with {size:,} bytes"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-1"\n')
    state = state_file.read(LocalStore(str(tmp_path)), "", FileStat("checkpoint", size, 7))
    assert state.unreadable == f"It has {size:,} bytes, more than the {state_file.MAX_SIZE:,} that are read"
    assert not state_file.is_foreign(state)


def test_a_byte_order_mark_and_much_history_are_what_they_are_to_tensorflow(tmp_path: Path, tf: ModuleType) -> None:
    files = ("run/ckpt-1.index", "run/ckpt-1.data-00000-of-00001")
    latest = b'model_checkpoint_path: "ckpt-1"\n'
    for content in (b"\xef\xbb\xbf" + latest, latest + b'all_model_checkpoint_paths: "ckpt-1"\n' * 20_000):
        folder = fill(tmp_path, "run", files, content)
        assert ours(folder, tmp_path, files) == theirs(tf, folder, tmp_path)
    state = state_file.parse("checkpoint", b"\xef\xbb\xbf" + latest)
    assert state.unreadable == "It begins with a byte order mark, for which TensorFlow ignores all of it"


def test_a_pointer_is_said_by_name() -> None:
    assert state_file.parse("checkpoint", LFS).unreadable == "a Git LFS pointer stands in its place"


def test_what_went_away_is_unreadable(tmp_path: Path) -> None:
    state = state_file.read(LocalStore(str(tmp_path)), "", FileStat("checkpoint", 10, 7))
    assert (state.unreadable, state.mtime_ns) == ("No such file or directory", 7)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    latest=TEXTS.filter(bool),
    history=st.lists(TEXTS, max_size=5),
    times=st.lists(st.floats(allow_nan=False), max_size=5),
    in_unicode=st.booleans(),
)
@settings(deadline=None)
def test_what_was_written_is_read(latest: str, history: list[str], times: list[float], in_unicode: bool) -> None:
    proto = CheckpointState(
        model_checkpoint_path=latest, all_model_checkpoint_paths=history, all_model_checkpoint_timestamps=times
    )
    state = state_file.parse("checkpoint", text_format.MessageToString(proto, as_utf8=in_unicode).encode())
    assert (state.latest, state.history, state.times) == (latest, tuple(history), tuple(times))
    assert (state.error, state.unreadable) == (None, None)


@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
@settings(deadline=None)
def test_any_bytes_are_an_answer(data: bytes) -> None:
    state = state_file.parse("run/checkpoint", data)
    told = [state.latest is not None, state.error is not None, state.unreadable is not None]
    assert told.count(True) == 1
    assert isinstance(tensorflow_answer(state, "/root", {"run/a"}), Answer)


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_any_path_is_an_answer(path: str, prefix: str) -> None:
    state = StateFile(path="run/checkpoint", latest=path)
    assert isinstance(tensorflow_answer(state, "/root", {f"run/{prefix}"}), Answer)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
TIMES = st.floats(min_value=0.001, max_value=4e9)


@given(
    latest=NAMES, listed=st.lists(NAMES, max_size=3), times=st.lists(TIMES, max_size=3), preserved=TIMES | st.just(0.0)
)
def test_a_state_file_is_written_as_tensorflow_writes_it(
    latest: str, listed: list[str], times: list[float], preserved: float
) -> None:
    state = CheckpointState(
        model_checkpoint_path=latest,
        all_model_checkpoint_paths=listed,
        all_model_checkpoint_timestamps=times,
        last_preserved_timestamp=preserved,
    )
    assert state_text(latest, listed, times, preserved) == text_format.MessageToString(state).encode()
