"""Settings: the environment wins over waypoint.toml, which wins over the defaults.

The file is $WAYPOINT_CONFIG, else waypoint.toml in the current folder. Relative paths of the file are relative to
its folder, those of the environment to the current folder. Nothing here looks at the roots themselves: a root that
does not exist is a problem of the scan. `make docs` writes its table into docs/settings.md.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from core.base.errors import SettingsError
from core.config import values

PREFIX = "WAYPOINT_"
CONFIG_VARIABLE = "WAYPOINT_CONFIG"
CONFIG_NAME = "waypoint.toml"
# Variables that bear our prefix and are no settings: the file, the job's id in a claim, the corpus of the tests.
OTHER_VARIABLES = frozenset({CONFIG_VARIABLE, "WAYPOINT_JOB", "WAYPOINT_CORPUS"})
PATH_KEYS = frozenset({"roots", "home", "decisions_dir"})
LIST_KEYS = frozenset({"roots", "run_pattern"})
ENVIRONMENT = "environment"
UNKNOWN_KEY = "unknown key"

Seconds = Annotated[float, PlainValidator(values.seconds)]
Days = Annotated[float, PlainValidator(values.days)]
PositiveSeconds = Annotated[float, PlainValidator(values.positive_seconds)]


class Settings(BaseSettings):
    """What a server, a command or a test was told; frozen. Made by `load`, which also reads waypoint.toml."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, validate_default=True
    )

    roots: Annotated[tuple[str, ...], NoDecode, PlainValidator(values.roots)] = Field(
        default=("sample_runs",),
        description="Folders under which runs are looked for: absolute and normalised once loaded, symlinks kept. "
        "In the environment a list with the system's path separator, which before `//` does not separate.",
        json_schema_extra={"shown": "`sample_runs`"},
    )
    run_pattern: Annotated[tuple[str, ...], NoDecode, PlainValidator(values.patterns)] = Field(
        default=(),
        description="Globs relative to each root that say which folders are runs (`*` is one component); they win "
        "over the rule that finds runs by itself. Several in the environment are separated as roots are.",
        json_schema_extra={"shown": "none"},
    )
    home: Annotated[Path, PlainValidator(values.folder)] = Field(
        default_factory=values.default_home,
        description="Folder of the catalog, the logs and the lock. Not on a network file system.",
        json_schema_extra={"shown": "`$XDG_STATE_HOME/waypoint`, else `~/.local/state/waypoint`"},
    )
    decisions_dir: Annotated[Path | None, PlainValidator(values.optional_folder)] = Field(
        default=None,
        description="Folder that takes the `.waypoint` folders where runs are read-only.",
        json_schema_extra={"shown": "none: inside each run"},
    )
    write_grace: Seconds = Field(
        default=60.0,
        description="Seconds for which a young, incomplete checkpoint counts as being written: its damage is not "
        "reported yet.",
    )
    live_window: Seconds = Field(
        default=3600.0,
        description="Seconds: a run that changed within them (or within three times its median save interval, if "
        "that is longer) is live, unless [its job is known to have ended](storage.md#quarantine).",
    )
    stale_after: Seconds = Field(
        default=1_209_600.0, description="Seconds without a change after which an idle run is stale (14 days)."
    )
    refresh: PositiveSeconds = Field(
        default=30.0,
        description="Seconds between two looks at the disk; every file is looked at again at least every 600 s and "
        "before any action.",
    )
    retention: Annotated[tuple[dict[str, Any], ...], NoDecode, PlainValidator(values.tables)] = Field(
        default=(),
        description="Tables that say which checkpoints of which runs stay ([storage.md](storage.md)); without any, a "
        "plan holds leftovers only. Only in the file.",
        json_schema_extra={"shown": "none"},
    )
    metric: Annotated[dict[str, Any], NoDecode, PlainValidator(values.table)] = Field(
        default_factory=dict,
        description="The metric by which runs are best, and whether its `min` or `max` is; `[metric.project.NAME]` has "
        "one for a project ([metrics.md](metrics.md)). Only in the file.",
        json_schema_extra={"shown": "none: it is guessed"},
    )
    layout: Annotated[str | None, PlainValidator(values.layout)] = Field(
        default=None,
        description="How the parts of runs' paths are called, such as `{project}/{user}/{date}/{run}` (`*` for a part "
        "without a name): they become columns, groups and names in [searches](search.md).",
        json_schema_extra={"shown": "guessed, where it is plain"},
    )
    purge_after_days: Days = Field(
        default=0.0,
        description="Days after which what lies in quarantine, or a rewind set aside, is deleted for good; 0: never.",
    )
    actor: Annotated[str, PlainValidator(values.actor)] = Field(
        default_factory=values.default_actor,
        description="Who acts, as written into logs, manifests and journals.",
        json_schema_extra={"shown": "the user of the operating system"},
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings calls it so
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings calls it so
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only arguments and the environment: no .env file and no secrets folder is read behind the user's back."""
        return init_settings, env_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One line of the table of settings, each text in Markdown."""

    variable: str
    key: str
    default: str
    meaning: str


def load(*, roots_override: Sequence[str | os.PathLike[str]] | None = None) -> Settings:
    """Read the environment and waypoint.toml; `roots_override` (of a command line) replaces the roots of both.

    Raises SettingsError with one line for each problem: where it stands, its value and what is allowed.
    """
    problems = _unknown_variables(os.environ)
    path, document = None, {}
    try:
        path = _config_path()
        document = _read_document(path) if path else {}
    except SettingsError as error:
        problems.append(str(error))
    environment = EnvSettingsSource(Settings)()
    override = {"roots": [os.fspath(root) for root in roots_override]} if roots_override else {}
    try:
        settings = Settings(**{**document, **environment, **override})
    except ValidationError as error:
        places = {**dict.fromkeys(document, str(path)), **dict.fromkeys(environment, ENVIRONMENT)}
        places |= dict.fromkeys(override, "command line")
        problems += [_explain(key, given, reason, places.get(key)) for key, given, reason in _reasons(error)]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise SettingsError("\n  ".join([f"{count} in the settings:", *problems]))
    return settings


def table() -> tuple[SettingRow, ...]:
    """Every setting, in the order of the class."""
    rows = []
    for key, field in Settings.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        shown = str(extra["shown"]) if "shown" in extra else f"{field.default:.0f}"
        rows.append(SettingRow(variable=PREFIX + key.upper(), key=key, default=shown, meaning=field.description or ""))
    return tuple(rows)


def _config_path() -> Path | None:
    """The file to read, absolute, or None; a file that was named must be there."""
    named = os.environ.get(CONFIG_VARIABLE, "")
    path = Path(os.path.abspath(os.path.expanduser(named or CONFIG_NAME)))
    if path.is_file():
        return path
    if named:
        raise SettingsError(f"{CONFIG_VARIABLE} = {values.shorten(named)}: there is no such file")
    if path.exists():
        raise SettingsError(f"{path}: is not a file")
    return None


def _read_document(path: Path) -> dict[str, Any]:
    """Parse the file and make its relative paths absolute; whatever is wrong with a value is left to its validator."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is not valid TOML: {error}") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: is not valid TOML: it is nested too deeply") from error
    for key in LIST_KEYS & document.keys():
        # A lone string is one item: only the environment has no other way to write a list than a separator.
        if isinstance(document[key], str):
            document[key] = [document[key]]
    for key in PATH_KEYS & document.keys():
        document[key] = _rebase(document[key], path.parent)
    for table_ in document["retention"] if isinstance(document.get("retention"), list) else ():
        if isinstance(table_, dict) and isinstance(table_.get("root"), str):
            table_["root"] = _rebase(os.path.expanduser(table_["root"]), path.parent)
    return document


def _rebase(value: Any, folder: Path) -> Any:  # noqa: ANN401 - a TOML value may be anything
    """Put a relative path, or each of a list of them, below a folder; anything else stays for the validator."""
    if isinstance(value, list):
        return [_rebase(item, folder) for item in value]
    if isinstance(value, str) and value.strip() and not value.startswith("~") and "://" not in value:
        return os.path.join(folder, value)
    return value


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """One line for each variable that bears our prefix and means nothing: most often a misspelt one."""
    known = {row.variable for row in table()} | OTHER_VARIABLES
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    return [f"{name} ({ENVIRONMENT}): unknown variable{_nearest(name.upper(), known)}" for name in unknown]


def _reasons(error: ValidationError) -> Iterable[tuple[str, Any, str]]:
    """Take pydantic's error apart into (key, given value, reason)."""
    for item in error.errors(include_url=False):
        key = str(item["loc"][0]) if item["loc"] else ""
        if item["type"] == "extra_forbidden":
            yield key, None, f"{UNKNOWN_KEY}{_nearest(key, Settings.model_fields)}"
        else:
            yield key, item["input"], str(item.get("ctx", {}).get("error", item["msg"]))


def _explain(key: str, given: object, reason: str, place: str | None) -> str:
    """One line of the error: where the value stands, the value, what is allowed."""
    if place is None:
        return f"{key} (default): {reason}"
    name = PREFIX + key.upper() if place == ENVIRONMENT else key
    value = "" if reason.startswith(UNKNOWN_KEY) else f" = {values.shorten(given)}"
    return f"{name}{value} ({place}): {reason}"


def _nearest(name: str, known: Iterable[str]) -> str:
    """Name the key that was probably meant, else all of them."""
    names = sorted(known)
    matches = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {matches[0]}?" if matches else f"; known are {', '.join(names)}"
