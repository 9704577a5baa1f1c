"""What schedulers call a job: one table, from the variables of its environment to a name.

A name stays the same when the scheduler starts the job again (a requeue, a pod's new container), for a start under the
same name takes its own lease and claim over at once. It differs between the members of an array, for each is a job of
its own. Where the variables do not tell both, the name is of the process alone.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable, Optional

Environment = Mapping[str, str]
NameOf = Callable[[Environment], Optional[str]]


@dataclass(frozen=True)
class Scheduler:
    """How one scheduler names a job: `name_of` gives what follows `prefix-`, None where the job is none of its own.
    `variables` and `note` are what the docs say of it.
    """

    prefix: str
    title: str
    variables: str
    name_of: NameOf
    note: str


def _variable(name: str) -> NameOf:
    return lambda environment: environment.get(name)


def _slurm(environment: Environment) -> str | None:
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environment.get("SLURM_JOB_ID")


def _pbs(environment: Environment) -> str | None:
    job, index = environment.get("PBS_JOBID"), environment.get("PBS_ARRAY_INDEX") or environment.get("PBS_ARRAYID")
    is_array_itself = bool(job) and "[]" in str(job)
    return f"{job}_{index}" if is_array_itself and index else job


def _lsf(environment: Environment) -> str | None:
    job, index = environment.get("LSB_JOBID"), environment.get("LSB_JOBINDEX")
    return f"{job}_{index}" if job and index and index != "0" else job


def _grid_engine(environment: Environment) -> str | None:
    job, task = environment.get("JOB_ID"), environment.get("SGE_TASK_ID")
    if not task:  # JOB_ID alone is a name that many tools use
        return None
    return job if task == "undefined" else job and f"{job}_{task}"


def _sagemaker(environment: Environment) -> str | None:
    told = environment.get("TRAINING_JOB_NAME")
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        told = told or json.loads(environment.get("SM_TRAINING_ENV") or "{}").get("job_name")
    return str(told) if told else None


def _vertex(environment: Environment) -> str | None:
    told = environment.get("CLOUD_ML_JOB_ID")
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        told = told or json.loads(environment.get("CLOUD_ML_JOB") or "{}").get("job_id")
    return str(told) if told else None


def _ray(environment: Environment) -> str | None:
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        metadata = json.loads(environment.get("RAY_JOB_CONFIG_JSON_ENV_VAR") or "{}").get("metadata") or {}
        if metadata.get("job_submission_id"):
            return str(metadata["job_submission_id"])
    if environment.get("RAY_JOB_SUBMISSION_ID"):
        return environment["RAY_JOB_SUBMISSION_ID"]
    # A number that every Ray cluster counts from 1.
    job = environment.get("RAY_JOB_ID")
    cluster = environment.get("RAY_CLUSTER_NAME") or environment.get("RAY_ADDRESS") or socket.gethostname()
    return f"{job}@{cluster}" if job else None


def _kubernetes(environment: Environment) -> str | None:
    pod, host = environment.get("POD_NAME"), environment.get("HOSTNAME")
    index = environment.get("JOB_COMPLETION_INDEX")
    if not environment.get("KUBERNETES_SERVICE_HOST") or not (pod or host):
        return None
    if index:
        # An indexed Job calls the pod JOB-INDEX-xxxxx and its host JOB-INDEX; only the second survives the pod.
        named = re.fullmatch(rf"(.+-{re.escape(index)})-[a-z0-9]{{5}}", pod or "")
        told = named[1] if named else host if host and host.endswith(f"-{index}") else None
        return _in_namespace(told or f"{pod or host}-{index}", environment)
    return _in_namespace(str(pod or host), environment)


def _in_namespace(name: str, environment: Environment) -> str:
    namespace = environment.get("POD_NAMESPACE")
    return f"{namespace}/{name}" if namespace else name


SCHEDULERS = (
    Scheduler(
        "waypoint",
        "your own",
        "WAYPOINT_JOB",
        _variable("WAYPOINT_JOB"),
        "taken as it stands, before all others: also for the members of an array",
    ),
    Scheduler(
        "slurm",
        "Slurm",
        "SLURM_ARRAY_JOB_ID and SLURM_ARRAY_TASK_ID, else SLURM_JOB_ID",
        _slurm,
        "a requeue is the same job: SLURM_RESTART_COUNT counts it and is no part of the name",
    ),
    Scheduler(
        "pbs",
        "PBS, Torque",
        "PBS_JOBID, with PBS_ARRAY_INDEX or PBS_ARRAYID where it names the whole array",
        _pbs,
        "it names the member of an array (`12[3].server`), and a rerun is the same job",
    ),
    Scheduler("lsf", "LSF", "LSB_JOBID, LSB_JOBINDEX", _lsf, "index 0 is no array; a requeue is the same job"),
    Scheduler("sge", "Grid Engine", "JOB_ID, SGE_TASK_ID", _grid_engine, "task `undefined` is no array"),
    Scheduler(
        "sagemaker",
        "SageMaker",
        "TRAINING_JOB_NAME, else job_name in SM_TRAINING_ENV",
        _sagemaker,
        "a spot restart is the same job",
    ),
    Scheduler(
        "vertex",
        "Vertex AI",
        "CLOUD_ML_JOB_ID, else job_id in CLOUD_ML_JOB",
        _vertex,
        "a restart of a worker is the same job",
    ),
    Scheduler(
        "ray",
        "Ray",
        "job_submission_id in RAY_JOB_CONFIG_JSON_ENV_VAR, RAY_JOB_SUBMISSION_ID, else RAY_JOB_ID",
        _ray,
        "RAY_JOB_ID counts from 1 in each cluster, so RAY_CLUSTER_NAME, RAY_ADDRESS or the host stands behind it",
    ),
)
# Asked after TF_CONFIG: it names a pod, and the workers of one cluster are several pods of one job.
KUBERNETES = Scheduler(
    "kubernetes",
    "Kubernetes",
    "KUBERNETES_SERVICE_HOST, POD_NAMESPACE, POD_NAME or HOSTNAME, JOB_COMPLETION_INDEX",
    _kubernetes,
    "an indexed Job's JOB-INDEX and a StatefulSet's pod survive a new pod; another pod's name survives a new container "
    "in it only: give such a job WAYPOINT_JOB from the label batch.kubernetes.io/job-name, or WAYPOINT_WAIT=150",
)
TF_CONFIG = Scheduler(
    "cluster",
    "TensorFlow",
    "TF_CONFIG",
    lambda _environment: None,
    "a digest of the cluster, the same for all its workers; with the host where all addresses are this machine's",
)


def scheduler_name(environment: Environment, schedulers: tuple[Scheduler, ...] = SCHEDULERS) -> str | None:
    """Return what the first scheduler that knows this job calls it, as in `slurm-1234_5`; None for none."""
    for scheduler in schedulers:
        name = scheduler.name_of(environment)
        if name:
            return f"{scheduler.prefix}-{name}"
    return None


def restart_count(environment: Environment) -> int:
    """Return how often the scheduler says that it started this job again; 0 where it does not say."""
    told = environment.get("SLURM_RESTART_COUNT") or ("1" if environment.get("LSB_RESTART") == "Y" else "0")
    return int(told) if re.fullmatch(r"[0-9]{1,9}", told) else 0


def scheduler_table() -> str:
    """Return the table of docs/resume.md."""
    rows = [*SCHEDULERS, TF_CONFIG, KUBERNETES]
    head = "| scheduler | name | from | when it is started again |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {row.title} | `{row.prefix}-…` | {row.variables} | {row.note} |\n" for row in rows)
