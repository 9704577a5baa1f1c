"""Settings: which source wins, what relative paths are relative to, and that every mistake is named."""

import os
import re
from pathlib import Path

import pytest

from core.base.errors import SettingsError
from core.config.settings import Settings, load, table

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and an environment that holds no setting."""
    for name in [name for name in os.environ if name.startswith("WAYPOINT_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems() -> list[str]:
    """What `load` complains about, a line for each problem, without the headline."""
    with pytest.raises(SettingsError) as caught:
        load()
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_defaults(folder: Path) -> None:
    assert load().model_dump() == {
        "roots": (f"{folder}/sample_runs",),
        "run_pattern": (),
        "home": Path("/home/ada/.local/state/waypoint"),
        "decisions_dir": None,
        "write_grace": 60,
        "live_window": 3600,
        "stale_after": 1209600,
        "refresh": 30,
        "retention": (),
        "metric": {},
        "layout": None,
        "purge_after_days": 0,
        "actor": "ada",
    }


def test_the_environment_wins_over_the_file_which_wins_over_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "waypoint.toml").write_text("refresh = 5\nwrite_grace = 7.5\n")
    monkeypatch.setenv("WAYPOINT_REFRESH", "2.5")
    settings = load()
    assert (settings.refresh, settings.write_grace, settings.live_window) == (2.5, 7.5, 3600)


def test_an_empty_variable_is_not_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in table():
        monkeypatch.setenv(row.variable, "")
    monkeypatch.setenv("WAYPOINT_CONFIG", "")
    assert load().roots == (f"{folder}/sample_runs",)


def test_paths_of_the_file_are_relative_to_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = folder / "etc" / "w.toml"
    config.parent.mkdir()
    config.write_text(
        'roots = ["runs", "/data/", "~/x", "gs://bucket/runs/"]\nhome = "../state"\ndecisions_dir = "d"\n'
    )
    monkeypatch.setenv("WAYPOINT_CONFIG", "etc/w.toml")
    settings = load()
    assert settings.roots == (f"{folder}/etc/runs", "/data", "/home/ada/x", "gs://bucket/runs")
    assert (settings.home, settings.decisions_dir) == (folder / "state", folder / "etc" / "d")


def test_paths_of_the_environment_are_relative_to_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "etc").mkdir()
    (folder / "etc" / "w.toml").write_text("")
    monkeypatch.setenv("WAYPOINT_CONFIG", "etc/w.toml")
    monkeypatch.setenv("WAYPOINT_ROOTS", "runs")
    monkeypatch.setenv("WAYPOINT_HOME", "state")
    settings = load()
    assert (settings.roots, settings.home) == ((f"{folder}/runs",), folder / "state")


@pytest.mark.parametrize(
    ("text", "roots"),
    [
        pytest.param("/a:/b", ("/a", "/b"), id="two"),
        pytest.param("/a:s3://b/c:/d", ("/a", "s3://b/c", "/d"), id="a URL between"),
        pytest.param("/b:/a:/b/", ("/b", "/a"), id="duplicates, in order"),
        pytest.param(":/a::", ("/a",), id="empty items"),
        pytest.param("/a/../b/./c//d", ("/b/c/d",), id="normalised"),
        pytest.param("/a b", ("/a b",), id="a space"),
        pytest.param("/caf\udce9", ("/caf\udce9",), id="an undecodable byte"),
    ],
)
def test_roots_of_the_environment(text: str, roots: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_ROOTS", text)
    assert load().roots == roots


def test_symlinks_of_a_root_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to("real")
    monkeypatch.setenv("WAYPOINT_ROOTS", "link")
    assert load().roots == (f"{folder}/link",)


def test_roots_of_the_command_line_replace_all_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "waypoint.toml").write_text("roots = 3\nrefresh = 5\n")
    monkeypatch.setenv("WAYPOINT_ROOTS", "/b")
    settings = load(roots_override=["x", Path("/y/")])
    assert (settings.roots, settings.refresh) == ((f"{folder}/x", "/y"), 5)


def test_no_root_on_the_command_line_replaces_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_ROOTS", "/b")
    assert load(roots_override=[]).roots == ("/b",)


@pytest.mark.parametrize(
    ("toml", "globs"),
    [
        pytest.param('"teams/*/*"', ("teams/*/*",), id="text"),
        pytest.param('["a:b", "*"]', ("a:b", "*"), id="list"),
        pytest.param("[]", (), id="empty list"),
    ],
)
def test_run_pattern_of_the_file(toml: str, globs: tuple[str, ...], folder: Path) -> None:
    (folder / "waypoint.toml").write_text(f"run_pattern = {toml}\n")
    assert load().run_pattern == globs


def test_run_pattern_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_RUN_PATTERN", "teams/*:solo/*")
    assert load().run_pattern == ("teams/*", "solo/*")


def test_home_follows_xdg_state_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert load().home == Path("/var/state/waypoint")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert load().home == Path("/home/ada/.local/state/waypoint")


def test_actor_without_a_name_is_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    assert load().actor == "uid 4242"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().refresh = 1


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("WRITE_GRACE", "-1", "must be a number of seconds, 0 or more"),
        ("WRITE_GRACE", "soon", "must be a number of seconds, 0 or more"),
        ("LIVE_WINDOW", "inf", "must be a number of seconds, 0 or more"),
        ("STALE_AFTER", "nan", "must be a number of seconds, 0 or more"),
        ("STALE_AFTER", "true", "must be a number of seconds, 0 or more"),
        ("LIVE_WINDOW", "1e308", "must be at most 1,000,000,000 seconds"),
        ("REFRESH", "0", "must be a number of seconds greater than 0"),
        ("REFRESH", "1e999", "must be a number of seconds greater than 0"),
        ("ROOTS", "::", "must name at least one folder"),
        ("RUN_PATTERN", "../x", "must hold globs relative to a root, without '..': '../x' is none"),
        ("RUN_PATTERN", "/x", "must hold globs relative to a root, without '..': '/x' is none"),
        ("HOME", "s3://b", "must be a local folder, not a URL"),
        ("DECISIONS_DIR", " ", "must be the path of a folder"),
        ("RETENTION", "latest=3", "must be tables of waypoint.toml, each headed [[retention]]"),
        ("PURGE_AFTER_DAYS", "-1", "must be a number of days, 0 or more"),
        ("ACTOR", "a\tb", "must be a name of 1 to 100 printable characters"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"WAYPOINT_{name}", value)
    assert problems() == [f"WAYPOINT_{name} = {value!r} (environment): {reason}"]


@pytest.mark.parametrize(
    ("line", "shown", "reason"),
    [
        ("refresh = true", "True", "must be a number of seconds greater than 0"),
        ("write_grace = nan", "nan", "must be a number of seconds, 0 or more"),
        ("live_window = [1]", "[1]", "must be a number of seconds, 0 or more"),
        ("roots = 3", "3", "must be a list of folders"),
        ("roots = []", "[]", "must name at least one folder"),
        ('roots = [""]', "['']", "must be a list of folders, each a text that is not empty: '' is none"),
        ("run_pattern = [1]", "[1]", "must be a list of globs, each a text that is not empty: 1 is none"),
        ('run_pattern = ["\\u0000"]', "['\\x00']", "must not hold a NUL character"),
        ("home = 1", "1", "must be the path of a folder"),
        ("retention = [1]", "[1]", "must be tables of waypoint.toml, each headed [[retention]]"),
        ("purge_after_days = 1e9", "1000000000.0", "must be at most 1,000,000,000 seconds"),
        ('actor = ""', "''", "must be a name of 1 to 100 printable characters"),
    ],
)
def test_a_wrong_value_of_the_file_is_named(line: str, shown: str, reason: str, folder: Path) -> None:
    (folder / "waypoint.toml").write_text(line + "\n")
    key = line.partition(" = ")[0]
    assert problems() == [f"{key} = {shown} ({folder}/waypoint.toml): {reason}"]


def test_a_long_value_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_REFRESH", "9" * 500 + "x")
    assert problems() == [f"WAYPOINT_REFRESH = '{'9' * 78}… (environment): must be a number of seconds greater than 0"]


def test_all_problems_are_told_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "waypoint.toml").write_text("root = []\nlive_window = -1\n[colours]\nred = 1\n")
    monkeypatch.setenv("WAYPOINT_REFRESH", "0")
    monkeypatch.setenv("WAYPOINT_REFRSH", "3")
    known = ", ".join(sorted(Settings.model_fields))
    with pytest.raises(SettingsError, match=r"^5 problems in the settings:\n"):
        load()
    assert sorted(problems()) == [
        "WAYPOINT_REFRESH = '0' (environment): must be a number of seconds greater than 0",
        "WAYPOINT_REFRSH (environment): unknown variable; did you mean WAYPOINT_REFRESH?",
        f"colours ({folder}/waypoint.toml): unknown key; known are {known}",
        f"live_window = -1 ({folder}/waypoint.toml): must be a number of seconds, 0 or more",
        f"root ({folder}/waypoint.toml): unknown key; did you mean roots?",
    ]


def test_variables_that_are_no_settings_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_JOB", "7")
    monkeypatch.setenv("WAYPOINT_CORPUS", "/corpus")
    monkeypatch.setenv("WAYPOINTS", "other")
    assert load().refresh == 30


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOINT_CONFIG", "missing.toml")
    monkeypatch.setenv("WAYPOINT_REFRESH", "0")
    assert problems() == [
        "WAYPOINT_CONFIG = 'missing.toml': there is no such file",
        "WAYPOINT_REFRESH = '0' (environment): must be a number of seconds greater than 0",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"refresh = \n", "is not valid TOML: Invalid value (at line 1, column 11)", id="syntax"),
        pytest.param(b"actor = '\xff'\n", "is not valid TOML: 'utf-8' codec", id="bytes"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_named(content: bytes, reason: str, folder: Path) -> None:
    (folder / "waypoint.toml").write_bytes(content)
    (problem,) = problems()
    assert problem.startswith(f"{folder}/waypoint.toml: {reason}")


def test_a_folder_in_place_of_the_file_is_named(folder: Path) -> None:
    (folder / "waypoint.toml").mkdir()
    assert problems() == [f"{folder}/waypoint.toml: is not a file"]


def test_an_unknown_home_folder_is_a_problem_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert problems() == ["home (default): must be an absolute path here: the home folder of the user is unknown"]
    monkeypatch.setenv("WAYPOINT_HOME", "/state")
    assert load().home == Path("/state")


def test_the_table_has_a_row_for_each_setting() -> None:
    assert [row.key for row in table()] == list(Settings.model_fields)
    assert [(row.variable, row.default) for row in table()][4:8] == [
        ("WAYPOINT_WRITE_GRACE", "60"),
        ("WAYPOINT_LIVE_WINDOW", "3600"),
        ("WAYPOINT_STALE_AFTER", "1209600"),
        ("WAYPOINT_REFRESH", "30"),
    ]
    assert all(row.meaning.endswith((".", ")")) for row in table())


def test_the_example_of_the_page_is_valid(folder: Path) -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    (folder / "waypoint.toml").write_text(example)
    settings = load()
    assert settings.roots == ("/data/experiments", f"{folder}/runs")
    assert (settings.run_pattern, settings.stale_after) == (("teams/*/*",), 604800)


def test_a_root_in_a_retention_table_is_relative_to_the_file(folder: Path) -> None:
    (folder / "waypoint.toml").write_text('[[retention]]\nroot = "runs"\nlatest = 3\n[[retention]]\nlatest = 1\n')
    assert load().retention == ({"root": f"{folder}/runs", "latest": 3}, {"latest": 1})
