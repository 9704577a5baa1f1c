"""A model of Keras in a folder: every value of its weights, and every byte of what lies beside them."""

from core.formats.keras_zip import WEIGHTS
from core.formats.vocabularies import ASSETS, NOT_TOLD
from core.verify.hdf5 import verify_file
from core.verify.tally import WINDOW, Job, Tally

NOTE = "The format keeps no checksum of what lies beside the weights: whether it is what was saved is not told."


def verify_folder(job: Job, tally: Tally) -> None:
    """Read the weights' values, then the other files to their ends."""
    verify_file(f"{job.folder}/{WEIGHTS}", job, tally)
    for name in sorted(job.files - {WEIGHTS}):
        with open(f"{job.folder}/{name}", "rb") as file:
            while part := file.read(WINDOW):
                tally.advance(len(part))
    tally.notes.append(NOTE)
    if any(name.startswith(ASSETS) for name in job.files):
        tally.notes.append(NOT_TOLD)
