"""Handing a checkpoint over, and what jobs made of it."""
