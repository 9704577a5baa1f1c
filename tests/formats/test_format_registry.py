"""The table of formats: every row is whole, every part of it answers, and nothing else knows a format by its name."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.facts import Format
from core.base.files import FileStat
from core.formats.registry import SPECS, spec_of
from core.formats.spec import FolderFiles, FormatSpec
from core.health.rules import RULES
from core.resume.cautions import TEXTS
from core.resume.snippet import CODE
from core.verify.tally import Job, Tally
from waypoint_resume.manifest import APIS, FORMATS

HERE = Path(__file__).parents[2]
# Where a format's name may stand: its own room, the enumeration, and no page or other part of core.
ROOMS = sorted([*HERE.glob("core/**/*.py"), *HERE.glob("pages/**/*.py"), HERE / "app.py"])
FREE = (HERE / "core" / "formats", HERE / "core" / "base" / "facts.py")


def of(form: Format) -> FormatSpec:
    """A format's row, or a failure that names what is missing."""
    spec = spec_of(form)
    assert spec.format is form, f"the row of {form.value} says that it is that of {spec.format.value}"
    return spec


def function_of(name: str | None, form: Format, part: str) -> object:
    """A function by its "module:function", or a failure that names the part."""
    module, _, function = (name or "").partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise AssertionError(f"{form.value}: {part} is {name!r}, which is no function: {error}") from error


@pytest.mark.parametrize("form", Format)
def test_a_format_has_one_row_with_a_name_for_people_of_its_own(form: Format) -> None:
    spec = of(form)
    assert spec.label, f"{form.value} has no label"
    assert [one.format for one in SPECS if one.label == spec.label] == [form]
    assert all(spec.told[:3]), f"{form.value}: `told` does not say what its files are, what is read, where tensors lie"
    assert spec.unreadable_rule in RULES, f"{form.value}: {spec.unreadable_rule} is no rule"


@pytest.mark.parametrize("form", Format)
def test_a_format_leaves_what_is_not_its_own(form: Format) -> None:
    spec, names = of(form), ("notes.txt", "events.out.tfevents.1.host", "checkpoint", "plot.png")
    folder = FolderFiles(files={name: FileStat(name=name, size=1, mtime_ns=1) for name in names})
    assert list(spec.group(folder)) == []
    assert tuple(folder.files) == names
    assert not any(spec.first_to_go(name) or spec.may_link(name) for name in names)
    assert spec.dated_by([FileStat(name="a", size=1, mtime_ns=7)]) == 7


@pytest.mark.parametrize("form", Format)
def test_a_format_is_verified_or_says_that_it_is_not(form: Format) -> None:
    spec = of(form)
    if not spec.is_verified:
        assert spec.trial is None, f"{form.value} is tried by a library and has no verifier"
        assert spec.label in spec.not_verified
        return
    if spec.verifier is not None:
        verifier = function_of(spec.verifier, form, "verifier")
        wanted = [Job, Tally]
        assert [one.annotation for one in inspect.signature(verifier).parameters.values()] == wanted  # type: ignore[arg-type]
    assert spec.trial is not None, f"{form.value} has no library for a trial restore"
    assert callable(function_of(spec.trial.function, form, "trial"))


@pytest.mark.parametrize("form", Format)
def test_a_format_is_restored_or_says_that_it_is_not(form: Format) -> None:
    spec = of(form)
    if spec.restoring is None:
        assert spec.not_resumable == f"{spec.label} is listed, not resumable here."
        assert form.value not in FORMATS, f"the job's side takes manifests of {form.value}, which nothing restores"
        assert spec.listed is not None, f"{form.value}: `listed` does not say how the job's side knows its files"
        assert '"' not in spec.listed.names + spec.listed.word
        re.compile(spec.listed.names)
        return
    assert spec.listed is None, f"{form.value} is restored, and `listed` as one that is not"
    assert form.value in FORMATS, f"{form.value} is missing in waypoint_resume.manifest.FORMATS"
    assert spec.restoring.caution in TEXTS, f"{form.value}: {spec.restoring.caution} is no warning"
    assert spec.restoring.exact is None or spec.restoring.exact in APIS
    refused = spec.restoring.refused
    for api in CODE:
        for framework in {spec.restoring.framework((), (), api)}:
            assert refused(api, framework) is None or CODE[api]


def names_of_formats(path: Path) -> Iterator[str]:
    """Every place of a module that names a format: as a member of the enumeration, or by its value."""
    values = {form.value for form in Format} - {"keras", "hdf5", "orbax"}  # words of other meanings too
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Format":
            yield f"{path.relative_to(HERE)}:{node.lineno}: Format.{node.attr}"
        if isinstance(node, ast.Constant) and node.value in values:
            yield f"{path.relative_to(HERE)}:{node.lineno}: {node.value!r}"


def test_no_format_is_known_by_its_name_outside_of_its_room() -> None:
    outside = [path for path in ROOMS if not any(path.is_relative_to(place) for place in FREE)]
    assert len(outside) > 150
    assert [place for path in outside for place in names_of_formats(path)] == []
