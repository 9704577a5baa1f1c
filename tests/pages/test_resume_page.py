"""The Resume page without a browser: what it says of manifests in every state, and what a person typed as overrides."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.resume.history import ManifestState
from core.resume.manifest import Manifest, Mode, Scalar
from core.resume.overrides import parse_overrides
from core.services import quarantine
from core.services.manifests import all_manifests
from core.services.resume import propose, resume_from
from pages.parts.frame import service
from pages.parts.resume.install import pip_line
from pages.parts.resume.manifest_cards import pulse
from tests.support.pages import columns, open_on, plain, show, texts
from tests.support.pages_server import ROOT
from tests.support.trees import save
from waypoint_resume.claim_record import Claim, read_claim
from waypoint_resume.decision import decide
from waypoint_resume.heartbeat import Heartbeat, heartbeat
from waypoint_resume.names import short_id
from waypoint_resume.rewind import set_aside
from waypoint_resume.version import __version__

pytestmark = pytest.mark.usefixtures("no_unexpected_error")
SECOND = 1_000_000_000


@pytest.fixture
def runs(runs: Path) -> Path:
    """A root with the run `five` of five checkpoints."""
    for step in range(1, 6):
        save(runs / "five", step)
    return runs


def hand_over(
    runs: Path,
    step: int,
    mode: Mode | None = None,
    *,
    overrides: Mapping[str, Scalar] | None = None,
    fork_name: str | None = None,
) -> Manifest:
    """Write the manifest of a checkpoint of `five`, all warnings accepted."""
    workspace = service.workspace()
    checkpoint = workspace.reader.checkpoint(short_id(str(runs)), f"five/ckpt-{step}")
    proposal = propose(workspace, checkpoint, mode)
    accepted = [caution.id for caution in proposal.warnings]
    manifest, _ = resume_from(
        workspace, checkpoint, proposal, note="", accepted=accepted, overrides=overrides, fork_name=fork_name
    )
    return manifest


def claim(run: Path, manifest: Manifest, **more: object) -> None:
    """What a job leaves that took a manifest."""
    said = {"manifest": manifest.id, "uuid": "u", "job": "slurm-7", "host": "node-<3>", "pid": 4711}
    folder = run / ".waypoint" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{manifest.id}.claim").write_text(
        json.dumps(said | {"claimed_at": "2026-01-31T09:30:00Z", "checkpoint": manifest.checkpoint.path} | more)
    )


def lease(run: Path, job: str, age: float) -> None:
    """The lease of a job that touched it some seconds ago."""
    path = run / ".waypoint" / "lease.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"job": job, "host": "node", "pid": 1}))
    touched = path.stat().st_mtime_ns - int(age * SECOND)
    os.utime(path, ns=(touched, touched))


def said(app: AppTest) -> str:
    """Everything on the page as a person reads it."""
    return plain(texts(app))


def opened(app: AppTest, manifest: Manifest) -> AppTest:
    """With the code of a card unfolded."""
    app.session_state[f"code-{manifest.id}"] = True
    return app.run()


def test_a_pending_manifest_comes_with_its_code_and_what_its_claim_sets_aside(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    manifest = hand_over(runs, 3, Mode.REWIND, overrides={"learning_rate": 0.5})
    show(app, "resume.py")
    assert [item.value for item in app.subheader] == ["Pending"]
    assert "When a job claims it, these are set aside: ckpt-4, ckpt-5." in said(app)
    assert "Overrides: learning_rate = 0.5" in said(app)
    (line,) = app.code
    assert line.value.startswith("pip install ")
    opened(app, manifest)
    _, code, place = (item.value for item in app.code)
    assert f"RUN = '{runs / 'five'}'" in code
    assert "start = resume(RUN, manager=manager, steps_per_epoch=STEPS)" in code
    assert place == str(runs / "five" / "resume_manifest.json")
    assert f".waypoint/withdrawn/{manifest.id}.json" in texts(app)


def test_a_claimed_manifest_tells_its_job_what_it_met_and_what_it_set_aside(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    manifest = hand_over(runs, 5)
    now = datetime.now(UTC).isoformat()
    error = "ckpt-5 does not fit the model:\n  missing from the file: **w**, float32 (3,)"
    claim(runs / "five", manifest, checkpoint="ckpt-6", rewound_at=now, error=error, error_at=now)
    lease(runs / "five", "slurm-7", 60)
    show(app, "resume.py")
    assert [item.value for item in app.subheader] == ["Pending", "Claimed"]
    assert "**slurm-7**\n" in said(app)
    assert "on node-<3>, process 4711" in said(app)
    assert "**ckpt-6**\n" in said(app)
    assert "The job lives: heartbeat 1 minute ago." in said(app)
    assert "The job could not go on, " in plain(app.error[0].value)
    assert "missing from the file: **w**, float32 (3,)" in plain(app.error[0].value)
    assert "**w**" not in app.error[0].value
    assert "What came after the checkpoint was set aside " in said(app)
    assert [link.proto.label for link in app.get("page_link") if link.proto.page == "storage"] == ["Bring it back"]
    assert not [button for button in app.button if button.label == "Withdraw"]


def test_a_claimed_manifest_whose_job_is_gone_is_withdrawn_and_put_back(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    manifest = hand_over(runs, 5)
    claim(runs / "five", manifest, error="ckpt-5 does not fit the model", error_at="2026-01-31T09:31:00Z")
    show(app, "resume.py")
    assert "it tries this manifest again. Withdraw it or hand over another checkpoint to end that." in said(app)
    app.button(key=f"withdraw-{manifest.id}").click().run()
    assert [item.value for item in app.subheader] == ["Pending", "Withdrawn"]
    assert "No heartbeat" not in said(app)
    app.button(key=f"undo-{manifest.id}").click().run()
    assert [item.value for item in app.subheader] == ["Pending", "Claimed"]
    assert [plain(item.value) for item in app.toast] == [
        "Undone: it is claimed again, and its job goes on when it is started again."
    ]


def test_a_job_that_lives_in_the_run_of_a_pending_manifest_is_told(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    hand_over(runs, 5)
    lease(runs / "five", "slurm-7", 60)
    show(app, "resume.py")
    assert "A job works in this run now: slurm-7, heartbeat 1 minute ago." in said(app)
    assert "It takes the manifest only when it is started again." in said(app)


def test_a_job_that_runs_an_older_client_is_told_and_one_of_today_is_not(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    manifest = hand_over(runs, 5)
    for client, expected in {"0.1.9": "**0.1.9**", None: "**not told**", __version__: None, "99.0": None}.items():
        claim(runs / "five", manifest, client=client)
        show(app, "resume.py")
        is_told = f"\nolder than {__version__}, which is here: install it again\n" in said(app)
        assert is_told is (expected is not None), client
        assert not expected or f"\n{expected}\n" in said(app)


def test_finished_and_superseded_manifests_are_tables_with_their_jobs(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    claim(runs / "five", hand_over(runs, 5), finished_at="2026-01-31T10:30:00Z")
    claim(runs / "five", hand_over(runs, 3, Mode.REWIND))
    hand_over(runs, 5)
    show(app, "resume.py")
    assert [item.value for item in app.subheader] == ["Pending", "Finished", "Superseded"]
    finished, superseded = columns(app, 0), columns(app, 1)
    assert (finished["checkpoint"], finished["mode"], finished["job"]) == (["ckpt-5"], ["continue"], ["slurm-7"])
    assert finished["finished"][0].endswith("ago")
    assert (superseded["checkpoint"], superseded["mode"], superseded["host"]) == (["ckpt-3"], ["rewind"], ["node-<3>"])
    assert superseded["finished"] == ["–"]
    assert "set aside" not in superseded


def test_what_a_job_sets_aside_is_told_once_it_did(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    manifest = hand_over(runs, 3, Mode.REWIND)
    decision = decide(runs / "five")
    assert decision.lease is not None
    try:
        show(app, "resume.py")
        assert "The job lives: " in said(app)
        assert "set aside" not in said(app)
        set_aside(decision)
        app.run()
        assert "What came after the checkpoint was set aside " in said(app)
        assert sorted(path.name for path in (runs / "five").glob("*.index")) == [f"ckpt-{n}.index" for n in (1, 2, 3)]
        (link,) = [link.proto for link in app.get("page_link") if link.proto.label == "Bring it back"]
        assert f"batch={manifest.id}" in link.query_string
    finally:
        decision.lease.release()
    workspace = service.workspace()
    quarantine.undo_batch(workspace, workspace.find_run("five"), manifest.id)
    app.run()
    assert re.search(r"was set aside .*, and brought back since\.", said(app))
    assert "Bring it back" not in [link.proto.label for link in app.get("page_link")]


def test_a_fork_is_pending_in_its_own_run(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    manifest = hand_over(runs, 3, Mode.FORK, fork_name="branch")
    service.current().look_now()
    show(app, "resume.py")
    opened(app, manifest)
    assert "**fork**\n" in said(app)
    assert "\nfrom five\n" in said(app)
    assert app.code[1].value.startswith(
        "# A fork: whatever the job saves and logs must go into the new run's folder,\n"
    )
    compile(app.code[1].value, "snippet", "exec")
    assert f"RUN = '{runs / 'branch'}'" in app.code[1].value
    assert "branch" in [link.proto.label for link in app.get("page_link")]


def test_what_another_process_does_is_seen_when_the_cards_are_looked_at_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    hand_over(runs, 5)
    show(app, "resume.py")
    assert [item.value for item in app.subheader] == ["Pending"]
    command = [sys.executable, "-m", "tests.support.client_race", "decide", str(runs / "five"), "-", str(runs)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WAYPOINT_", "SLURM_", "TF_"))}
    job = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean, cwd=ROOT)
    assert job.stdout is not None
    assert [job.stdout.readline() for _ in range(2)] == ["ready\n", "won\n"]
    app.run()
    assert [item.value for item in app.subheader] == ["Pending", "Claimed"]
    assert f"on {socket.gethostname()}, process {job.pid}" in said(app)
    assert "The job lives: heartbeat " in said(app)
    job.communicate("")
    app.run()
    assert "No heartbeat: the job has ended" in said(app)


@pytest.mark.parametrize(
    ("host", "url", "expected"),
    [
        ("127.0.0.1:8501", "http://127.0.0.1:8501/resume", "http://127.0.0.1:8501"),
        ("[::1]:80", None, "http://[::1]:80"),
        ("localhost", "https://localhost/", "https://localhost"),
        ("evil.example", "http://evil.example/", None),
        ("127.0.0.1;reboot", "http://127.0.0.1", None),
        ("`id`@127.0.0.1", None, None),
        (None, "http://127.0.0.1", None),
    ],
)
def test_the_line_that_installs_the_client_names_this_server_alone(
    host: str | None, url: str | None, expected: str | None
) -> None:
    wanted = expected and f"pip install {expected}/client/waypoint_resume-{__version__}-py3-none-any.whl"
    assert pip_line(host, url) == wanted


CLAIM = Claim(job="slurm-7")


@pytest.mark.parametrize(
    ("beat", "words"),
    [
        (Heartbeat(job="slurm-7", age=12.7, is_fresh=True), "The job lives: heartbeat 12 seconds ago."),
        (
            Heartbeat(job="slurm-7", age=300, is_fresh=False),
            "No heartbeat for 5 minutes: the job has ended or is stuck.",
        ),
        (Heartbeat(job="slurm-8", age=3, is_fresh=True), "Another job works in this run: slurm-8, 3 seconds ago."),
        (None, "No heartbeat: the job has ended, and did not say that it is done."),
    ],
    ids=["lives", "stuck", "another", "gone"],
)
def test_the_heartbeat_in_words(beat: Heartbeat | None, words: str) -> None:
    assert pulse(beat, CLAIM)[1].startswith(words)


def test_the_youngest_lease_of_a_runs_homes_counts(tmp_path: Path) -> None:
    assert heartbeat([tmp_path], int) is None
    lease(tmp_path, "old", 500)
    now_ns = (tmp_path / ".waypoint" / "lease.json").stat().st_mtime_ns + 500 * SECOND
    old = heartbeat([tmp_path], lambda: now_ns)
    assert old == Heartbeat(job="old", age=500.0, is_fresh=False)
    other = tmp_path / "other"
    other.mkdir()
    lease(other, "young", 0)
    os.utime(other / ".waypoint" / "lease.json", ns=(now_ns, now_ns - 119 * SECOND))
    assert heartbeat([tmp_path, other], lambda: now_ns) == Heartbeat(job="young", age=119.0, is_fresh=True)
    (other / ".waypoint" / "lease.json").write_bytes(b"{")
    os.utime(other / ".waypoint" / "lease.json", ns=(now_ns, now_ns))
    assert heartbeat([tmp_path, other], lambda: now_ns) == Heartbeat(job=None, age=0.0, is_fresh=True)


@pytest.mark.parametrize(
    ("record", "read"),
    [
        ({}, Claim()),
        ({"job": 7, "host": None, "pid": True, "claimed_at": "soon", "error": ""}, Claim()),
        ({"claimed_at": "2026-01-31T09:30:00", "finished_at": "yes"}, Claim(is_finished=True)),
        (
            {"job": "j", "pid": 3, "rewound_at": "2026-01-31T09:30:00Z"},
            Claim(job="j", pid=3, rewound_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ),
    ],
    ids=["empty", "odd", "no-zone", "whole"],
)
def test_a_claim_is_read_field_by_field(record: dict[str, object], read: Claim) -> None:
    assert read_claim(record) == read


def test_a_claim_that_cannot_be_read_is_shown(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    manifest = hand_over(runs, 5)
    claim(runs / "five", manifest)
    (runs / "five" / ".waypoint" / "claims" / f"{manifest.id}.claim").write_bytes(b"[1")
    show(app, "resume.py")
    assert "**not named**\n" in said(app)
    assert "on an unknown host" in said(app)
    assert all_manifests(service.workspace())[0][2].state is ManifestState.CLAIMED


def test_overrides_are_json_or_else_text() -> None:
    typed = "learning_rate = 3e-4\n\n nesterov=true \nname = my = adam\nclipnorm = null"
    assert parse_overrides(typed.splitlines()) == {
        "learning_rate": 3e-4,
        "nesterov": True,
        "name": "my = adam",
        "clipnorm": None,
    }


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("a = 1\nb", "Line 2 is no override: write it as name = value."),
        ("= 1", "Line 1 is no override"),
        ("a =", "Line 1 is no override"),
        ("a = 1\na = 2", "Line 2: a stands there twice."),
        ("a = [1]", "Line 1: no scalar"),
        ("a = NaN", "Line 1: no finite number"),
        ("a = 1\nlearning_rate = -0.1", "Line 2: '-0.1' is no learning_rate; allowed: a number from 0 on."),
        ("learning_rate = fast", "Line 1: 'fast' is no learning_rate"),
        ("learning_rate = true", "Line 1: 'true' is no learning_rate"),
    ],
)
def test_what_is_no_override_is_told_by_its_line(typed: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        parse_overrides(typed.splitlines())


def dialog(app: AppTest, runs: Path, step: int) -> AppTest:
    """The dialog about a checkpoint of `five`, every warning accepted."""
    show(app, "checkpoint.py", root=short_id(str(runs)), run="five", path=f"five/ckpt-{step}")
    app.button(key="resume").click().run()
    return accept(app)


def accept(app: AppTest) -> AppTest:
    """Tick every warning of the dialog."""
    for box in app.checkbox:
        if str(box.key).startswith("accept-"):
            box.set_value(True)
    return app.run()


def choose(app: AppTest, mode: Mode) -> AppTest:
    """Another way to go on."""
    app.radio[0].set_value(mode).run()
    return accept(app)


def test_the_rewind_of_a_live_run_waits_for_its_name(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(runs / "five", 6, at_ns=time.time_ns())
    app = dialog(open_on(monkeypatch, runs), runs, 3)
    assert app.radio[0].value is Mode.FORK
    assert "Fork is proposed because the run counts as live: it changed " in said(app)
    choose(app, Mode.REWIND)
    assert "First end a job that still runs in it" in plain(app.warning[0].value)
    assert "Set aside: 3 checkpoints" in [box.label for box in app.expander]
    for typed, is_disabled in (("", True), ("fiv", True), ("five", False)):
        app.text_input(key="rewind_confirm").set_value(typed).run()
        assert app.button(key="resume_confirm").disabled == is_disabled
        assert ("Type the run's name to go on." in said(app)) == is_disabled


def test_a_heartbeat_is_why_a_run_counts_as_live(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(runs / "five", 6, at_ns=time.time_ns())
    lease(runs / "five", "slurm-7", 60)
    assert "counts as live: a job's heartbeat came 1 minute ago" in said(dialog(open_on(monkeypatch, runs), runs, 3))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("five", "five is there already: choose another name."),
        ("", "'' cannot be the name of a run's folder"),
        ("a/b", "'a/b' cannot be the name of a run's folder"),
        (".hidden", "'.hidden' cannot be the name of a run's folder"),
        ("x" * 201, "at most 200 bytes"),
    ],
    ids=["taken", "none", "path", "hidden", "long"],
)
def test_the_name_of_a_fork_is_judged_before_the_press(
    runs: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str
) -> None:
    app = choose(dialog(open_on(monkeypatch, runs), runs, 3), Mode.FORK)
    assert not app.button(key="resume_confirm").disabled
    app.text_input(key="fork_name").set_value(name).run()
    assert problem in said(app)
    assert app.button(key="resume_confirm").disabled


def test_what_a_fork_does_is_true_of_any_name(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = choose(dialog(open_on(monkeypatch, runs), runs, 3), Mode.FORK)
    told = "A new run beside this one gets a copy; this one stays as it is, byte for byte."
    assert plain(app.radio[0].proto.captions[-1]) == told


def test_the_dialog_says_that_it_replaces_a_manifest_that_a_job_did_not_finish(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    claim(runs / "five", hand_over(runs, 5))
    words = "This replaces the claimed manifest of tester for ckpt-5, which is kept as superseded; its job, which has "
    choose(dialog(app, runs, 3), Mode.REWIND)
    assert words in said(app)
    choose(app, Mode.FORK)
    assert words not in said(app)


def test_data_of_backup_and_restore_are_counted_as_the_consequence_counts_them(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(runs / "five" / "chief", 9)
    app = choose(dialog(open_on(monkeypatch, runs), runs, 4), Mode.REWIND)
    assert "(1 checkpoint, " in plain(" ".join(app.radio[0].proto.captions))
    assert "Set aside: 1 checkpoint and BackupAndRestore's data" in [plain(box.label) for box in app.expander]


def test_a_learning_rate_that_no_job_takes_is_refused(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = dialog(open_on(monkeypatch, runs), runs, 5)
    app.text_area(key="overrides").set_value("learning_rate = -1").run()
    assert "is no learning_rate; allowed: a number from 0 on." in plain(app.error[0].value)
    assert app.button(key="resume_confirm").disabled


def test_a_manifest_that_cannot_be_read_is_said_with_its_run_and_replaced_by_the_next(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_on(monkeypatch, runs)
    (runs / "five" / "resume_manifest.json").write_text('{"version": 2}')
    show(app, "resume.py")
    (told,) = (plain(item.value) for item in app.error)
    assert told.startswith("The manifest of run five cannot be read, so no job starts there: ")
    assert "version" in told
    hand_over(runs, 5)
    show(app, "resume.py")
    assert len(app.error) == 0
    assert [item.value for item in app.subheader] == ["Pending"]
    assert list((runs / "five/.waypoint/manifests").glob("unreadable-*.json"))


def receipt(run: Path, followed: Manifest, moment: str, **more: object) -> None:
    """What a start left about what it restored."""
    said = {"manifest": followed.id, "at": moment, "source": "ckpt-3", "digest": "0123456789abcdef" * 2, "step": 3}
    known = {"epoch": 1, "batch": 4, "optimizer": "Adam restored", "learning_rate": [0.00125], "has_state": True}
    kept = {"callbacks": ["EarlyStopping", "ModelCheckpoint"], "random": ["NumPy"], "restarts": [], "not_kept": []}
    folder = run / ".waypoint" / "receipts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{moment.replace(':', '')}-{'a' * 32}.json").write_text(json.dumps(said | known | kept | more))


def test_a_claimed_manifest_shows_what_its_job_really_restored(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    manifest, run = hand_over(runs, 3, Mode.REWIND), runs / "five"
    claim(run, manifest)
    receipt(run, manifest, "2026-01-31T09:30:01Z")
    receipt(run, manifest, "2026-01-31T09:40:01Z", not_kept=["<b>Sampler</b>: what it remembers is not kept"])
    receipt(run, manifest, "2026-01-31T09:50:01Z", manifest="another")
    (run / ".waypoint" / "receipts" / f"2026-01-31T095501Z-{'b' * 32}.json").write_text("[")
    page = show(app, "resume.py")
    (box,) = [item for item in page.expander if item.label.startswith("Restored")]
    assert box.label.endswith(", after 1 earlier start: all but 1 thing")
    told = said(page)
    for text in (
        "content 0123456789ab",
        "1 epoch and 4 batches done",
        "Adam restored",
        "learning rate 0.00125",
        "EarlyStopping, ModelCheckpoint",
        "<b>Sampler</b>: what it remembers is not kept",
    ):
        assert text in told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "everything"),
        ({"has_state": False}, "the checkpoint alone, no state was kept beside it"),
        ({"restarts": ["a"], "not_kept": ["b"]}, "all but 2 things"),
        (
            {"not_kept": "odd", "callbacks": {"a": 1}, "step": True, "digest": 7, "at": [], "has_state": True},
            "everything",
        ),
    ],
    ids=["all", "none", "some", "odd"],
)
def test_how_exact_a_start_was_is_said_in_a_few_words(
    runs: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, object], words: str
) -> None:
    app = open_on(monkeypatch, runs)
    manifest, run = hand_over(runs, 3, Mode.REWIND), runs / "five"
    claim(run, manifest)
    receipt(run, manifest, "2026-01-31T09:30:01Z", **more)
    (box,) = [item for item in show(app, "resume.py").expander if item.label.startswith("Restored")]
    assert box.label.endswith(f": {words}")


def test_weights_alone_are_chosen_in_the_dialog(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = dialog(open_on(monkeypatch, runs), runs, 5)
    assert not app.button(key="resume_confirm").disabled
    app.session_state[f"weights-{app.session_state['dialog'].args[0].key}"] = "The weights alone"
    app.run()
    assert app.radio[0].value is Mode.FORK
    assert "A new training begins with them" in said(app)
    assert app.button(key="resume_confirm").disabled  # one warning more
    accept(app)
    assert not app.button(key="resume_confirm").disabled


def test_weights_alone_are_told_on_the_card(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_on(monkeypatch, runs)
    workspace = service.workspace()
    checkpoint = workspace.reader.checkpoint(short_id(str(runs)), "five/ckpt-5")
    proposal = propose(workspace, checkpoint, weights_only=True)
    resume_from(workspace, checkpoint, proposal, note="", accepted=[caution.id for caution in proposal.warnings])
    workspace.refresh()
    show(app, "resume.py")
    assert "fork, weights alone" in said(app)
    assert "left out" in said(app)


def test_a_save_that_came_while_the_dialog_was_open_is_offered(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = dialog(open_on(monkeypatch, runs), runs, 5)
    assert not [button for button in app.button if button.key == "take_newer"]
    save(runs / "five", 6)
    service.current().look_now()
    app.run()
    assert "A newer save can be restored now: ckpt-6, step 6." in said(app).replace("**", "")
    app.button(key="take_newer").click().run()
    assert "ckpt-6 of run five" in said(app).replace("**", "")
    assert not [button for button in app.button if button.key == "take_newer"]
