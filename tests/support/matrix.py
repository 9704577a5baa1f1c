"""What is restored where, as docs/resume.md says it: made from what tests/client/test_client_training.py tries and
from the environments of tests/compat.
"""

from tests.client.test_client_training import ACROSS, FORMS, REFUSALS
from tests.compat.environments import ENVIRONMENTS

JOBS = {
    "keras": "Keras 3 on TensorFlow",
    "jax": "Keras 3 on JAX",
    "tf_keras": "tf-keras, Keras 2.15",
    "module": "tf.train.Checkpoint alone",
}
FILES = {
    "manager": "bundle of tf.train.Checkpoint or its manager",
    "module": "bundle of a tf.Module",
    "tf-weights": "weights in TF form",
    "saved-model": "SavedModel",
    "keras": "`.keras`",
    "weights": "`.weights.h5`",
    "h5": "`.h5`",
    "orbax": "Orbax of OrbaxCheckpoint",
    "steps": "`.weights.h5` saved within an epoch",
}
_REASONS = {
    "does not fit the model": "refused: the variables do not fit",
    " wrote ": "refused, naming the writer",
    "holds TensorFlow's objects": "refused: holds TensorFlow's objects",
    "is a SavedModel": "refused: only tf-keras goes on from it",
}
_OTHERS = (  # tests/client/test_client_restore.py: refused by their kind, whatever the job is
    ("`.weights.json` with its shards", "any", "refused: use model.load_weights"),
    ("TF1's, saved by name", "any", "refused: use tf.compat.v1.train.Saver"),
)


def cell(form: str, writer: str, job: str) -> str:
    """What a job gets of a file: exact, values, or why it is refused."""
    if "module" in (form, job):
        if form == job:
            return "exact"
        return "exact for what was saved" if form in ("manager", "tf-weights") else "refused: needs the model"
    if writer == job:
        return "exact"
    if form in ACROSS.get((job, writer), ()):
        return "values"
    said = REFUSALS[job, writer][form]
    return next(reason for text, reason in _REASONS.items() if text in said)


def restored_table() -> str:
    """Each file and who wrote it against each kind of job."""
    rows = [["file", "written by", *JOBS.values()], ["---"] * (2 + len(JOBS))]
    written = {form: [writer for writer, forms in FORMS.items() if form in forms] for form in FILES}
    of_keras = [(form, writer) for form, writers in written.items() for writer in writers if form != "module"]
    rows += [[FILES[form], JOBS[writer], *(cell(form, writer, job) for job in JOBS)] for form, writer in of_keras]
    rows += [[file, writer, *[reason] * len(JOBS)] for file, writer, reason in _OTHERS]
    return _markdown(rows)


def environments_table() -> str:
    """Where `make compat` tries it: each Python with its framework, and the forms that are exact there."""
    rows = [["Python", "installed", "Keras runs on", "model made of", "exact"], ["---"] * 5]
    for one in ENVIRONMENTS:
        packages = ", ".join(package.replace("==", " ").replace("_", "-") for package in one.packages)
        for framework, forms in one.forms.items():
            made_of = {"keras": "keras", "tf_keras": "tf_keras", "module": "tf.Module"}[framework]
            rows.append([one.python, packages, one.backend, made_of, ", ".join(FILES[form] for form in forms)])
    return _markdown(rows)


def _markdown(rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
