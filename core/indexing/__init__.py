"""Keeping the catalog true: the unit of work of a scan, one pass over a root, its lock."""
