"""Over random runs: plan, quarantine and undo lead back to every file's bytes, name, time and mode."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from core.acts.purge import purge
from core.retention.policies import EverySteps, KeepLatest, NewerThan, Policy, Rule
from tests.support.quarantine_cases import Case, bundle_files, folders, in_quarantine, state_text, tree
from tests.support.resume_cases import NOW
from tests.support.trees import START_NS, write

Files = Mapping[str, bytes]
Modes = Mapping[str, int]
Made = tuple[Files, Modes, Modes]

contents = st.binary(max_size=30)
steps = st.lists(st.integers(0, 12), min_size=1, max_size=5, unique=True)
modes = st.sampled_from([0o600, 0o640, 0o644, 0o664, 0o444])
folder_modes = st.sampled_from([0o700, 0o750, 0o755, 0o775, 0o2775])
rules = st.lists(
    st.one_of(
        st.builds(KeepLatest, st.integers(1, 2)),
        st.builds(EverySteps, st.integers(1, 5)),
        st.builds(NewerThan, st.sampled_from([1.0, 400.0])),
    ),
    min_size=1,
    max_size=2,
)


def saved_model(number: int, content: bytes) -> Files:
    parts = {"saved_model.pb": content, "variables/variables.index": b"i", "assets/words.txt": content}
    return {f"{number}/{name}": data for name, data in parts.items()}


def orbax(number: int, content: bytes) -> Files:
    parts = {"_CHECKPOINT_METADATA": b"{}", "manifest.ocdbt": content, "d/00ff": content, "d/x/y/z": b"z"}
    return {f"{number}/{name}": data for name, data in parts.items()}


FORMS: dict[str, Callable[[int, bytes], Files]] = {
    "ckpt": lambda number, content: bundle_files(f"ckpt-{number}", 1 + len(content) % 3),
    "other": lambda number, content: bundle_files(f"model.ckpt-{number}", size=len(content)),
    "keras": lambda number, content: {f"m-{number:02}.keras": content, f"w-{number}.weights.h5": content},
    "sharded": lambda number, content: {f"s{number}.weights.json": b"{}", f"s{number}_00000.weights.h5": content},
    "export": saved_model,
    "orbax": orbax,
    "shards": lambda number, content: {f"ckpt-{number}.data-00001-of-00002": content},
    "temps": lambda number, content: {f"ckpt-{number}_temp/part-00000-of-00001.index": content},
    "mine": lambda number, content: {f"notes {number}.txt": content},
}
places = st.sampled_from(["", "ckpts/", "a/ckpts/", "ünï/"])
forms = st.sampled_from(["ckpt", *sorted(FORMS)])


@st.composite
def runs(draw: st.DrawFn) -> Made:
    """A run's files, and the modes of some files and folders."""
    files: dict[str, bytes] = {}
    for place in draw(st.lists(places, min_size=1, max_size=2, unique=True)):
        numbers: list[int] = []
        for form in draw(st.lists(forms, min_size=1, max_size=4, unique=True)):
            for number in draw(steps):
                numbers += [number] if form == "ckpt" else []
                made = FORMS[form](number, draw(contents))
                files |= {f"{place}{name}": data for name, data in made.items() if f"{place}{name}" not in files}
        listed = draw(st.permutations(numbers) if numbers else st.none() | steps)
        if listed is not None:
            files[f"{place}checkpoint"] = state_text(listed[-1], *listed)
    where = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)}
    some = st.dictionaries(st.sampled_from(sorted(files)), modes, max_size=4)
    others = st.dictionaries(st.sampled_from(sorted(where)), folder_modes, max_size=3) if where else st.just({})
    return files, draw(some), draw(others)


@pytest.mark.parametrize("run", ["exp/a", "."], ids=["inner", "root"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(made=runs(), chosen=rules, empty=st.booleans())
def test_undo_is_the_way_back(
    tmp_path: Path,
    run: str,
    made: tuple[Files, Mapping[str, int], Mapping[str, int]],
    chosen: list[Rule],
    *,
    empty: bool,
) -> None:
    files, file_modes, other_modes = made
    shutil.rmtree(tmp_path / "root", ignore_errors=True)
    case = Case(root=tmp_path / "root", run=run, policy=Policy(rules=tuple(chosen)))
    case.folder.mkdir(parents=True)
    for number, name in enumerate(sorted(files)):
        write(case.folder, {name: files[name]}, START_NS + number)
    if empty:
        for path in [path for path in case.folder.rglob("variables") if path.is_dir()]:
            (path.parent / "assets.extra").mkdir()
    for name, mode in (*file_modes.items(), *other_modes.items()):
        (case.folder / name).chmod(mode)
    before, below, plan = tree(case.folder), folders(case.folder), case.plan()
    planned = {file.path for item in plan.items for file in item.files}
    done = case.go(plan)
    stay = {item.path for item in done.left_out}
    went = {file.path for item in plan.items if item.path not in stay for file in item.files}
    event(f"items: {min(len(plan.items), 4)}, left out: {bool(stay)}")
    event(f"state file: {bool(done.journal and done.journal.states)}")
    after, held = tree(case.folder), in_quarantine(case.folder)
    assert held == {name: before[name] for name in went}
    assert after.keys() == before.keys() - went
    changed = {name for name in after if after[name] != before[name]}
    assert all(name.rpartition("/")[2] == "checkpoint" for name in changed)
    if done.journal is None:
        assert not went
        return
    back = case.undo(done.journal.id)
    assert back.problems == ()
    assert tree(case.folder) == before
    assert folders(case.folder) == below
    again = case.go()
    assert again.journal is not None
    freed = sum(
        path.stat().st_blocks * 512 for path in case.folder.glob(".waypoint/quarantine/*/files/**/*") if path.is_file()
    )
    told = purge(case.run_folder, again.journal.id, confirm=again.journal.id, actor="ada", now=NOW)
    assert (told.freed_bytes, told.files) == (freed, len(went))
    assert tree(case.folder).keys() == before.keys() - went
    assert planned >= went
