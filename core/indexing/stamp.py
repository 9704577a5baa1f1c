"""Which code judged what the catalog keeps: digests of the sources of readers, of looks at folders, and of rules.

A digest cannot be forgotten when a module changes, as a number that somebody has to raise can. What it costs is that a
comment makes it new, too: then everything is judged once more, and what is read again is read in the background.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import blake2b
from pathlib import Path

import core
import waypoint_resume
from core.base.facts import Format
from core.formats.registry import SPECS
from core.metrics.registry import SOURCES
from core.metrics.spec import MetricSource

_HOMES = {name: Path(package.__path__[0]) for name, package in (("core", core), ("waypoint_resume", waypoint_resume))}
_IMPORT = re.compile(
    r"^ *(?:from +((?:core|waypoint_resume)[\w.]*) +import +(\([^)]*\)|[^\n]*)"
    r"|import +((?:core|waypoint_resume)[\w.]*))",
    re.MULTILINE,
)
_WORD = re.compile(r"\w+")
_DIGEST_BYTES = 6

# What every reading passes through, whatever its format: their own sources, without what they import.
_OF_EACH_READING = ("core.formats.reading", "core.formats.path_pattern", "core.formats.lfs")
# The table leads to all formats, and records know nothing of any: neither is followed from a reader.
_NOT_OF_A_READER = frozenset(
    {"core.formats.registry", "core.formats.spec", "core.formats.reading", "core.metrics.registry", "core.metrics.spec"}
)
# What is kept of each source of metrics, whichever it is.
_OF_EACH_SOURCE = ("core.indexing.metric_reading", "core.metrics.kept_bytes", "core.metrics.metric_names")


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """The present versions: of what makes a folder's files to checkpoints, state files and leftovers (`looks`), of
    rules, series and roll-up (`rules`), and of each format's reader; of what tells which files hold metrics
    (`metrics`), and of each reader of those, by its source's name.
    """

    looks: str
    rules: str
    readers: Mapping[Format, str]
    metrics: str = ""
    metric_readers: Mapping[str, str] = field(default_factory=dict)

    def is_read(self, read_by: str) -> bool:
        """Whether these readers, divided by blanks, are all of the present."""
        return not read_by or _are_among(read_by, self.present)

    @cached_property
    def present(self) -> frozenset[str]:
        """The versions of all readers."""
        return frozenset(self.readers.values())


@cache
def _are_among(read_by: str, present: frozenset[str]) -> bool:
    return present.issuperset(read_by.split())


@cache
def current_stamp() -> Stamp:
    """The stamp of the code that runs, made once for a process."""
    looks = {"core.runs.group", "core.indexing.folder", "core.indexing.changes"}
    looks |= {spec.read.__module__ for spec in SPECS}  # the registry imports some by their names
    return Stamp(
        looks=_digest(_closure(looks, _is_of_looks)),
        rules=_digest(_closure({"core.indexing.rollup", "core.indexing.known"}, _is_of_rules)),
        readers={spec.format: _reader(spec.format, spec.read.__module__) for spec in SPECS},
        metrics=_digest(_closure({"core.metrics.registry", *_OF_EACH_SOURCE}, _is_of_metrics)),
        metric_readers={source.name: _source_reader(source) for source in SOURCES},
    )


def _source_reader(source: MetricSource) -> str:
    modules = {source.read.__module__, *_OF_EACH_SOURCE}
    return _digest(_closure(modules, lambda name: _is_of_metrics(name) and name not in _NOT_OF_A_READER), source.name)


def _is_of_metrics(module: str) -> bool:
    return module.startswith(("core.metrics.", "core.formats.", "waypoint_resume."))


def _reader(form: Format, module: str) -> str:
    return _digest({*_closure({module}, _is_of_reader), *_OF_EACH_READING}, form.value)


def _is_of_reader(module: str) -> bool:
    return module.startswith(("core.formats.", "waypoint_resume.")) and module not in _NOT_OF_A_READER


def _is_of_looks(module: str) -> bool:
    return module == "core.base.ages" or module.startswith(
        ("core.formats.", "core.runs.", "core.indexing.", "core.sweeps.", "waypoint_resume.")
    )


def _is_of_rules(module: str) -> bool:
    """Of the formats their table alone: what readers find is judged by their own versions."""
    return module in ("core.formats.registry", "core.base.ages", "core.search.folding") or module.startswith(
        ("core.formats.specs.", "core.health.", "core.runs.", "core.indexing.", "core.runfolder.", "waypoint_resume.")
    )


def _closure(start: Collection[str], is_followed: Callable[[str], bool]) -> set[str]:
    """Modules and all that they import, as far as it is followed."""
    found, waiting = set[str](), list(start)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += [name for name in _imports(module) if is_followed(name)]
    return found


@cache
def _imports(module: str) -> frozenset[str]:
    return frozenset(_named(_source(module)))


def _named(source: str) -> Iterator[str]:
    """The modules of ours that a source imports, in any of its lines."""
    for package, names, whole in _IMPORT.findall(source):
        if whole:
            yield whole
            continue
        modules = [inner for name in _WORD.findall(names) if _file(inner := f"{package}.{name}") is not None]
        yield from modules or [package]


def _digest(modules: Collection[str], *salt: str) -> str:
    found = blake2b(digest_size=_DIGEST_BYTES)
    for text in (*salt, *(part for module in sorted(modules) for part in (module, _source(module)))):
        found.update(text.encode("utf-8", "surrogateescape") + b"\0")
    return found.hexdigest()


@cache
def _source(module: str) -> str:
    """A module's text with the line ends of Unix; '' where there is no source."""
    file = _file(module)
    return "" if file is None else file.read_text("utf-8", "surrogateescape")


def _file(module: str) -> Path | None:
    package, *parts = module.split(".")
    place = _HOMES[package].joinpath(*parts)
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)
