"""Runs and sweeps: the choice of a series, a run's health."""
