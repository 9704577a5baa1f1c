"""Handing a checkpoint to a training job: the resume manifest, what a person accepts with it, and what became of it."""
