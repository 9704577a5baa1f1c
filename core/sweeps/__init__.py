"""Sweeps of hyperparameters: what tuners write about their trials, and which trial is better. Above the formats."""
