"""Disk access of the core: one small storage protocol, the local disk behind it, names, atomic writes."""
