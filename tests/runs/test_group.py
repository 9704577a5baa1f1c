"""From a listing to units: which files are one checkpoint, which are left over, which belong to nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.facts import Format
from core.base.files import FileStat, Listing
from core.runs.group import Groups, group


def grouped(*names: str, folder: str = "exp/ckpts") -> Groups:
    files = tuple(FileStat(name=name, size=1, mtime_ns=1) for name in sorted(names))
    return group(Listing(folder=folder, files=files, subfolders=(), folder_times=()))


def units(found: Groups) -> dict[str, tuple[str, list[str]]]:
    return {one.name: (one.format.value, [file.name for file in one.files]) for one in found.checkpoints}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(
            ["ckpt-7.index", "ckpt-7.data-00001-of-00002", "ckpt-7.data-00000-of-00002", "ckpt-7.meta"],
            {
                "ckpt-7": (
                    "tf-bundle",
                    ["ckpt-7.index", "ckpt-7.data-00000-of-00002", "ckpt-7.data-00001-of-00002", "ckpt-7.meta"],
                )
            },
            id="bundle-with-shards-and-meta",
        ),
        pytest.param(["model.ckpt-100.index"], {"model.ckpt-100": ("tf-bundle", ["model.ckpt-100.index"])}, id="index"),
        pytest.param(
            ["a.index", "a.data-00000-of-00001", "a.b.index"],
            {"a": ("tf-bundle", ["a.index", "a.data-00000-of-00001"]), "a.b": ("tf-bundle", ["a.b.index"])},
            id="one-prefix-begins-another",
        ),
        pytest.param(["m.keras"], {"m.keras": ("keras", ["m.keras"])}, id="keras"),
        pytest.param(["m.weights.h5"], {"m.weights.h5": ("weights-h5", ["m.weights.h5"])}, id="weights"),
        pytest.param(
            ["latest.weights.h5", "latest.weights.h5.bkp", "training_metadata.json.bkp", "m.h5.bkp"],
            {
                "latest.weights.h5": ("weights-h5", ["latest.weights.h5"]),
                "latest.weights.h5.bkp": ("weights-h5", ["latest.weights.h5.bkp"]),
            },
            id="double-backup",
        ),
        pytest.param(
            ["m.h5", "n.hdf5"], {"m.h5": ("hdf5", ["m.h5"]), "n.hdf5": ("hdf5", ["n.hdf5"])}, id="two-endings-of-hdf5"
        ),
        pytest.param(
            ["m.weights.json", "m_00000.weights.h5", "m_00001.weights.h5", "n_00000.weights.h5"],
            {
                "m.weights.json": (
                    "weights-h5-sharded",
                    ["m.weights.json", "m_00000.weights.h5", "m_00001.weights.h5"],
                ),
                "n_00000.weights.h5": ("weights-h5", ["n_00000.weights.h5"]),
            },
            id="sharded-weights",
        ),
        pytest.param(["model", "model.meta"], {"model": ("tf-v1", ["model", "model.meta"])}, id="v1"),
        pytest.param(["a", "a.meta", "a.meta.meta"], {"a": ("tf-v1", ["a", "a.meta"])}, id="meta-of-a-meta"),
        pytest.param(["train.py", "notes.txt", ".h5", ".keras", "x.meta"], {}, id="nothing-of-ours"),
        pytest.param(
            [".index", ".data-00000-of-00001"], {"": ("tf-bundle", [".index", ".data-00000-of-00001"])}, id="nameless"
        ),
        pytest.param(["resume_manifest.json"], {}, id="our-own-file"),
        pytest.param(
            ["a\nb.index", "a\nb.data-00000-of-00001"],
            {"a\nb": ("tf-bundle", ["a\nb.index", "a\nb.data-00000-of-00001"])},
            id="newline",
        ),
        pytest.param(
            ["a.index", "a.data-000000-of-100000"],
            {"a": ("tf-bundle", ["a.index", "a.data-000000-of-100000"])},
            id="more-than-99999-shards",
        ),
    ],
)
def test_checkpoints(names: list[str], expected: dict[str, tuple[str, list[str]]]) -> None:
    found = grouped(*names)
    assert units(found) == expected
    assert found.has_units is bool(expected)
    assert (found.shards_only, found.temps, found.states) == ({}, {}, [])


def test_shards_without_an_index_are_no_checkpoint() -> None:
    found = grouped("ckpt-6.data-00000-of-00002", "ckpt-6.data-00001-of-00002", "ckpt-7.index")
    assert list(units(found)) == ["ckpt-7"]
    assert {prefix: len(files) for prefix, files in found.shards_only.items()} == {"ckpt-6": 2}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("ckpt-5_temp/part-00000-of-00001.data-00000-of-00001", "ckpt-5_temp"),
        ("ckpt-5_temp/part-00000-of-00001.index", "ckpt-5_temp"),
        (
            "m_temp_0123456789abcdef0123456789abcdef/part-00000-of-00001.index",
            "m_temp_0123456789abcdef0123456789abcdef",
        ),
        ("ckpt-5.data-00000-of-00001.tempstate1234", "ckpt-5.data-00000-of-00001.tempstate1234"),
        ("checkpoint.tmp0a1b2c", "checkpoint.tmp0a1b2c"),
    ],
    ids=["part", "part-index", "older", "tempstate", "state-file"],
)
def test_what_a_save_left_is_a_leftover_and_no_checkpoint(name: str, place: str) -> None:
    found = grouped(name)
    assert (list(found.temps), found.checkpoints, found.has_units) == ([place], [], True)


def test_state_files_and_events_make_a_unit() -> None:
    found = grouped("checkpoint", "events.out.tfevents.1769850000.host", "checkpoint.txt")
    assert [file.name for file in found.states] == ["checkpoint"]
    assert [file.name for file in found.events] == ["events.out.tfevents.1769850000.host"]
    assert found.has_units
    assert not found.all_doubtful


@pytest.mark.parametrize("main", ["saved_model.pb", "saved_model.pbtxt"])
def test_a_saved_model_is_its_folder(main: str) -> None:
    found = grouped(main, "fingerprint.pb", "variables/variables.index", "assets/words", "beside.h5", "readme.txt")
    assert units(found) == {
        "": ("saved-model", sorted(["assets/words", "fingerprint.pb", main, "variables/variables.index"])),
        "beside.h5": ("hdf5", ["beside.h5"]),
    }
    assert not grouped(main).has_units  # the folder above it holds the unit


@pytest.mark.parametrize("folder", ["ckpts/300", "ckpts/300.orbax-checkpoint-tmp-17"])
def test_an_orbax_step_is_one_unit_with_every_file(folder: str) -> None:
    found = grouped("_CHECKPOINT_METADATA", "pytree/manifest.ocdbt", "x.h5", folder=folder)
    assert units(found) == {"": ("orbax", ["_CHECKPOINT_METADATA", "pytree/manifest.ocdbt", "x.h5"])}


def test_an_empty_temporary_orbax_step_is_nothing() -> None:
    assert grouped(folder="300.orbax-checkpoint-tmp-17").checkpoints == []


@pytest.mark.parametrize(
    ("names", "doubtful"),
    [
        (["a.index"], True),
        (["a.h5"], True),
        (["a", "a.meta"], True),
        (["a.index", "a.meta"], True),
        (["a.index", "a.data-00000-of-00001"], True),
        (["a.keras"], False),
        (["a.h5", "checkpoint"], False),
        (["checkpoint"], True),
    ],
    ids=["index", "hdf5", "v1", "index-and-meta", "bundle", "keras", "beside-a-state-file", "only-a-state-file"],
)
def test_what_may_be_another_tools_file(names: list[str], doubtful: bool) -> None:
    assert grouped(*names).all_doubtful is doubtful


parts = st.sampled_from(
    [
        ".index",
        ".meta",
        ".data-00000-of-00001",
        ".h5",
        ".keras",
        ".weights",
        ".json",
        "_00000",
        "_temp",
        "/part",
        "a",
        "b",
    ]
)


@given(st.sets(st.lists(parts, min_size=1, max_size=5).map("".join), max_size=12))
def test_every_file_is_in_one_unit_at_most(names: set[str]) -> None:
    found = grouped(*names)
    held = [file.name for one in found.checkpoints for file in one.files]
    held += [file.name for files in (*found.shards_only.values(), *found.temps.values()) for file in files]
    held += [file.name for file in (*found.states, *found.events)]
    assert len(held) == len(set(held))
    assert set(held) <= names
    assert {one.format for one in found.checkpoints} <= set(Format)
