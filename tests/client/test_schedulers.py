"""A job's name stays the same when its scheduler starts it again, and differs between the members of an array."""

from pathlib import Path

import pytest

from waypoint_resume import jobs
from waypoint_resume.schedulers import KUBERNETES, SCHEDULERS, scheduler_name, scheduler_table

K8S = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
NAMES = {
    "your own": ({"WAYPOINT_JOB": "night", "SLURM_JOB_ID": "7"}, "waypoint-night"),
    "slurm": ({"SLURM_JOB_ID": "7"}, "slurm-7"),
    "slurm, requeued": ({"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "2"}, "slurm-7"),
    "slurm, a member": ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "slurm-7_2"),
    "pbs": ({"PBS_JOBID": "12.server"}, "pbs-12.server"),
    "pbs, a member": ({"PBS_JOBID": "12[3].server", "PBS_ARRAY_INDEX": "3"}, "pbs-12[3].server"),
    "pbs, the array's id": ({"PBS_JOBID": "12[].server", "PBS_ARRAY_INDEX": "3"}, "pbs-12[].server_3"),
    "lsf": ({"LSB_JOBID": "5", "LSB_JOBINDEX": "0"}, "lsf-5"),
    "lsf, a member": ({"LSB_JOBID": "5", "LSB_JOBINDEX": "4", "LSB_RESTART": "Y"}, "lsf-5_4"),
    "grid engine": ({"JOB_ID": "5", "SGE_TASK_ID": "undefined"}, "sge-5"),
    "grid engine, a member": ({"JOB_ID": "5", "SGE_TASK_ID": "2"}, "sge-5_2"),
    "JOB_ID of something else": ({"JOB_ID": "5"}, None),
    "sagemaker": ({"TRAINING_JOB_NAME": "t-1"}, "sagemaker-t-1"),
    "sagemaker's toolkit": ({"SM_TRAINING_ENV": '{"job_name": "t-2"}'}, "sagemaker-t-2"),
    "no JSON": ({"SM_TRAINING_ENV": "{"}, None),
    "another JSON": ({"SM_TRAINING_ENV": "[]", "CLOUD_ML_JOB": "1"}, None),
    "vertex": ({"CLOUD_ML_JOB_ID": "v1"}, "vertex-v1"),
    "vertex, the job": ({"CLOUD_ML_JOB": '{"job_id": "v2"}'}, "vertex-v2"),
    "ray, submitted": (
        {"RAY_JOB_CONFIG_JSON_ENV_VAR": '{"metadata": {"job_submission_id": "raysubmit_1"}}', "RAY_JOB_ID": "01"},
        "ray-raysubmit_1",
    ),
    "ray, a number": ({"RAY_JOB_ID": "01000000", "RAY_ADDRESS": "head:6379"}, "ray-01000000@head:6379"),
    "none": ({"HOSTNAME": "desk"}, None),
}
PODS = {
    "a pod": ({**K8S, "HOSTNAME": "train-x7k2p"}, "kubernetes-train-x7k2p"),
    "the index of a job": ({**K8S, "HOSTNAME": "train-3", "JOB_COMPLETION_INDEX": "3"}, "kubernetes-train-3"),
    "its pod's name, made anew": (
        {**K8S, "POD_NAME": "train-3-x7k2p", "HOSTNAME": "node-1", "JOB_COMPLETION_INDEX": "3"},
        "kubernetes-train-3",
    ),
    "on the node's network": ({**K8S, "HOSTNAME": "node-1", "JOB_COMPLETION_INDEX": "3"}, "kubernetes-node-1-3"),
    "in a namespace": ({**K8S, "POD_NAME": "train-0", "POD_NAMESPACE": "ml"}, "kubernetes-ml/train-0"),
    "no cluster": ({"POD_NAME": "train-0"}, None),
}


@pytest.mark.parametrize(("environment", "expected"), NAMES.values(), ids=NAMES.keys())
def test_a_scheduler_names_its_job(environment: dict[str, str], expected: str | None) -> None:
    assert scheduler_name(environment) == expected


@pytest.mark.parametrize(("environment", "expected"), PODS.values(), ids=PODS.keys())
def test_a_pod_names_its_job(environment: dict[str, str], expected: str | None) -> None:
    assert scheduler_name(environment, (KUBERNETES,)) == expected


@pytest.fixture
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    variables = {name for environment, _ in (*NAMES.values(), *PODS.values()) for name in environment}
    for name in {*variables, "TF_CONFIG"} - {"HOSTNAME"}:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_pods_of_one_cluster_are_one_job(no_scheduler: pytest.MonkeyPatch) -> None:
    found = []
    for index in (0, 1):
        no_scheduler.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        no_scheduler.setenv("POD_NAME", f"train-{index}")
        no_scheduler.setenv(
            "TF_CONFIG", f'{{"cluster": {{"worker": ["a:1", "b:1"]}}, "task": {{"type": "worker", "index": {index}}}}}'
        )
        found.append(jobs.job_id())
    assert found[0] == found[1]
    assert found[0].startswith("cluster-")


def test_a_cluster_of_this_machine_alone_is_told_from_that_of_another(no_scheduler: pytest.MonkeyPatch) -> None:
    no_scheduler.setenv("TF_CONFIG", '{"cluster": {"worker": ["localhost:2222", "127.0.0.1:2223"]}}')
    found = []
    for host in ("one", "other"):
        no_scheduler.setattr("socket.gethostname", lambda host=host: host)
        found.append(jobs.job_id())
    assert found[0] != found[1]


def test_how_often_it_was_started_again_is_noted(no_scheduler: pytest.MonkeyPatch) -> None:
    no_scheduler.setenv("SLURM_JOB_ID", "7")
    assert "restart" not in jobs.whose()
    no_scheduler.setenv("SLURM_RESTART_COUNT", "2")
    assert jobs.whose()["restart"] == 2


def test_the_docs_tell_of_every_scheduler() -> None:
    text = (Path(__file__).parents[2] / "docs" / "resume.md").read_text(encoding="utf-8")
    assert len(SCHEDULERS) == 8
    assert scheduler_table() in text
