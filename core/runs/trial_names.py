"""Which folders are trials of a sweep, by the names of their files. docs/formats.md says what tuners write.

KerasTuner and AutoKeras: `PROJECT/trial_ID/trial.json`. Ray Tune: `EXPERIMENT/TRIAL/` with the three files that its
loggers always write; two of them alone may be anybody's.
"""

import re
from collections.abc import Collection, Container

KERAS_TUNER_FILE = "trial.json"
KERAS_TUNER_FOLDER = "trial_"
_EXECUTION = re.compile(r"execution\d+")  # below LOG_DIR/ID, where KerasTuner lets a TensorBoard callback write
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


def trial_of_log(folder: str, trials: Container[str]) -> str | None:
    """The trial whose TensorBoard logs a folder holds (`LOG_DIR/ID/executionN`, or below): `trial_ID` in LOG_DIR or
    above, if it is one of the trials. None for any other folder.

    https://github.com/keras-team/keras-tuner/blob/master/keras_tuner/src/engine/tuner.py, _get_tensorboard_dir.
    """
    parts = folder.split("/")
    for place in range(1, len(parts)):
        if _EXECUTION.fullmatch(parts[place]) is None:
            continue
        name = f"{KERAS_TUNER_FOLDER}{parts[place - 1]}"
        for above in range(place - 1, -1, -1):
            trial = "/".join((*parts[:above], name))
            if trial in trials:
                return trial
    return None
