"""The checkpoint to resume from: the newest that can be restored, and why newer ones were passed over."""

import pytest
from hypothesis import given

from core.base.facts import Format
from core.base.files import FileStat
from core.base.records import Checkpoint, Health, SavedAtSource, StateFile
from core.runs.choice import SeriesChoice, choose, reasons
from tests.runs.test_series import members_of_a_run
from tests.support.findings import finding
from tests.support.trees import MINUTE_NS, START_NS, a_member


def chosen(
    *members: Checkpoint, states: tuple[StateFile, ...] = (), existing: frozenset[str] = frozenset()
) -> SeriesChoice:
    (choice,) = choose(members, states, "/data", existing)
    return choice


def broken(name: str, step: int | None = None, *, minute: float | None = None) -> Checkpoint:
    item = a_member(name, step=step, minute=minute, restorable=False)
    return item._replace(findings=(finding("missing-shard", item.path, "1 of 3 shards are missing: x."),))


def test_the_newest_of_whole_ones() -> None:
    choice = chosen(*(a_member(f"ckpt-{n}", step=n) for n in (1, 3, 2)))
    assert choice.chosen is not None
    assert (choice.chosen.path, choice.latest.path) == ("run/ckpts/ckpt-3", "run/ckpts/ckpt-3")
    assert [item.path[-1] for item in choice.members] == ["3", "2", "1"]
    assert (choice.why, choice.passed_over, choice.order_note) == ("The newest of 3, and it can be restored.", (), None)
    assert choice.name == "ckpts/ckpt-N"


def test_newer_broken_ones_are_passed_over_with_their_reasons() -> None:
    choice = chosen(a_member("ckpt-1", step=1), broken("ckpt-2", 2), broken("ckpt-3", 3))
    assert choice.chosen is not None
    assert (choice.chosen.path, choice.latest.path) == ("run/ckpts/ckpt-1", "run/ckpts/ckpt-3")
    assert [(item.checkpoint.path[-1], item.reasons) for item in choice.passed_over] == [
        ("3", ("missing-shard: 1 of 3 shards are missing: x.",)),
        ("2", ("missing-shard: 1 of 3 shards are missing: x.",)),
    ]
    assert choice.why == "The newest that can be restored; 2 newer ones cannot."


def test_an_older_broken_one_is_not_passed_over() -> None:
    choice = chosen(broken("ckpt-1", 1), a_member("ckpt-2", step=2))
    assert (choice.passed_over, choice.why) == ((), "The newest of 2, and it can be restored.")


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ((broken("ckpt-1", 1),), "It cannot be restored."),
        ((broken("ckpt-1", 1), broken("ckpt-2", 2)), "None of 2 can be restored."),
        ((a_member("ckpt-1", step=1),), "The only checkpoint of its series, and it can be restored."),
        ((a_member("c-1", step=1), broken("c-2", 2)), "The newest that can be restored; 1 newer one cannot."),
    ],
    ids=["one-broken", "all-broken", "one-whole", "one-newer"],
)
def test_why(members: tuple[Checkpoint, ...], why: str) -> None:
    choice = chosen(*members)
    assert choice.why == why
    assert len(choice.passed_over) == sum(not item.restorable for item in members)
    assert (choice.chosen is None) == all(not item.restorable for item in members)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (a_member(), ()),
        (a_member(restorable=False, health=Health.WRITING), ("It is being written.",)),
        (a_member(restorable=False), ("Its files are not whole.",)),
        (
            a_member(restorable=False)._replace(findings=(finding("newest-not-restorable", "p", "r"),)),
            ("Its files are not whole.",),
        ),
        (
            a_member(restorable=False)._replace(
                findings=(finding("newest-not-restorable", "p", "r"), finding("empty-file", "p", "It is empty."))
            ),
            ("empty-file: It is empty.",),
        ),
    ],
    ids=["whole", "writing", "unknown", "only-the-runs-finding", "own-finding"],
)
def test_reasons(item: Checkpoint, expected: tuple[str, ...]) -> None:
    assert reasons(item) == expected


@pytest.mark.parametrize(
    ("steps", "note", "first"),
    [
        ((300, 100, 200), "the order is that of the steps.", "ckpt-1"),
        ((300, None, 200), "the order is that of the steps.", "ckpt-1"),
        ((300, None, None), "the order is that of the names.", "ckpt-3"),
    ],
    ids=["steps", "one-unknown", "unknown-steps"],
)
def test_a_copied_tree_is_told(steps: tuple[int | None, ...], note: str, first: str) -> None:
    choice = chosen(*(a_member(f"ckpt-{n}", step=step, minute=0) for n, step in enumerate(steps, 1)))
    assert choice.order_note is not None
    assert choice.order_note.endswith(note)
    assert "within 2 seconds" in choice.order_note
    assert choice.latest.path == f"run/ckpts/{first}"


def test_the_latest_is_that_of_the_last_attempt_even_with_a_lower_step() -> None:
    choice = chosen(*(a_member(f"c-{n}", step=step, minute=n) for n, step in enumerate((100, 900, 50, 60))))
    assert (choice.latest.facts.step, choice.latest.attempt) == (choice.members[0].facts.step, 2)
    assert choice.latest.path == "run/ckpts/c-3"


def test_two_models_in_one_folder_have_an_answer_each_newest_save_first() -> None:
    members = [a_member(f"generator-{n}", step=n) for n in (1, 2)]
    members += [a_member(f"discriminator-{n}", step=n, minute=n + 0.5) for n in (1, 2)]
    assert [(choice.name, choice.chosen and choice.chosen.path) for choice in choose(members, (), "/data", ())] == [
        ("ckpts/discriminator-N", "run/ckpts/discriminator-2"),
        ("ckpts/generator-N", "run/ckpts/generator-2"),
    ]


@pytest.mark.parametrize(
    ("folder", "run", "name"),
    [("run/ckpts", "run", "ckpts/c-N"), ("run", "run", "c-N"), ("ckpts", ".", "ckpts/c-N"), ("", ".", "c-N")],
    ids=["below", "in-the-run", "below-the-root", "in-the-root"],
)
def test_a_series_is_named_from_its_run(folder: str, run: str, name: str) -> None:
    item = a_member("c-1")._replace(folder=folder, path=f"{folder}/c-1".lstrip("/"), run=run)
    assert chosen(item).name == name


def test_tensorflows_answer_stands_beside_each_series_of_the_state_files_folder() -> None:
    state = StateFile(path="run/ckpts/checkpoint", latest="ckpt-2", history=("ckpt-1", "ckpt-2"))
    existing = frozenset({"run/ckpts/ckpt-1", "run/ckpts/ckpt-2"})
    choice = chosen(a_member("ckpt-1", step=1), broken("ckpt-2", 2), states=(state,), existing=existing)
    assert (choice.tensorflow_latest, choice.tensorflow_error) == ("run/ckpts/ckpt-2", None)
    other = chosen(a_member("ckpt-1", folder="run/x"), states=(state,), existing=existing)
    assert (other.tensorflow_latest, other.tensorflow_error) == (None, None)


@given(members_of_a_run)
def test_the_chosen_one_is_restorable_and_nothing_newer_is(members: list[Checkpoint]) -> None:
    choices = choose(members, (), "/data", ())
    assert sum(len(choice.members) for choice in choices) == len(members)
    for choice in choices:
        newer = [item.checkpoint for item in choice.passed_over]
        assert newer == list(choice.members[: len(newer)])
        assert not any(item.restorable for item in newer)
        assert all(item.reasons for item in choice.passed_over)
        if choice.chosen is None:
            assert len(newer) == len(choice.members)
        else:
            assert choice.chosen.restorable
            assert choice.chosen.is_latest_restorable
            assert choice.chosen == choice.members[len(newer)]


def test_formats_do_not_mix() -> None:
    members = [a_member("m-1", form=form) for form in (Format.TF_BUNDLE, Format.SAVED_MODEL)]
    assert len(choose(members, (), "/data", ())) == 2


def test_an_earlier_save_with_a_higher_step_is_told() -> None:
    choice = chosen(*(a_member(f"ckpt-{n}", step=step, minute=n) for n, step in enumerate((100, 900, 50))))
    assert choice.chosen is not None
    assert choice.chosen.path == "run/ckpts/ckpt-2"
    assert choice.order_note is not None
    assert choice.order_note.startswith("run/ckpts/ckpt-1 has a higher step (900) but was saved earlier")
    assert chosen(*(a_member(f"c-{n}", step=n) for n in (1, 2))).order_note is None


def test_times_of_a_copy_that_contradict_the_state_file_do_not_count() -> None:
    """A copy of a run with keep_checkpoint_every_n_hours: the listed ones have true times, the others the copy's."""
    listed = [
        a_member(f"c-{n}", step=n * 100, minute=n, source=SavedAtSource.STATE_FILE)._replace(
            files=(FileStat(f"c-{n}.index", 10, START_NS + 600 * MINUTE_NS),)
        )
        for n in (7, 8)
    ]
    kept = [a_member(f"c-{n}", step=n * 100, minute=600 + n) for n in (2, 5)]
    choice = chosen(*listed, *kept)
    assert choice.latest.path == "run/ckpts/c-8"
    assert choice.order_note is not None
    assert choice.order_note.startswith("The files' times are not those in the state file")
