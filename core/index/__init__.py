"""Keeping the catalog true: the unit of work of a scan, one pass over a root, the lock, the background thread."""
