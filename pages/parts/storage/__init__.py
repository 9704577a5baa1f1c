"""Disk space: numbers, map, tables, plans, batches."""
