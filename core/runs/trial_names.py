"""Which folders are trials of a sweep, by the names of their files. docs/formats.md says what tuners write.

KerasTuner and AutoKeras: `PROJECT/trial_ID/trial.json`. Ray Tune: `EXPERIMENT/TRIAL/` with the three files that its
loggers always write; two of them alone may be anybody's.
"""

from collections.abc import Collection

KERAS_TUNER_FILE = "trial.json"
KERAS_TUNER_FOLDER = "trial_"
RAY_FILES = ("params.json", "params.pkl", "result.json")
# What Ray adds to every result of a trial: no metric.
RAY_OWN_RESULTS = frozenset(
    """config timestamp checkpoint_dir_name should_checkpoint done training_iteration trial_id date time_this_iter_s
    time_total_s pid hostname node_ip time_since_restore iterations_since_restore experiment_tag timesteps_total
    episodes_total timesteps_since_restore warmup_time experiment_id""".split()  # noqa: SIM905 - as one reads them
)


def is_keras_tuner_trial(folder: str, names: Collection[str]) -> bool:
    """Whether KerasTuner keeps a trial in a folder (relative to the root) that holds files of these names."""
    return KERAS_TUNER_FILE in names and folder.rpartition("/")[2].startswith(KERAS_TUNER_FOLDER)


def is_ray_trial(names: Collection[str]) -> bool:
    """Whether Ray Tune keeps a trial in a folder that holds files of these names."""
    return all(name in names for name in RAY_FILES)


def is_trial(folder: str, names: Collection[str]) -> bool:
    """Whether a folder is a trial of a sweep. A trial is one training, and so a run."""
    return is_keras_tuner_trial(folder, names) or is_ray_trial(names)
