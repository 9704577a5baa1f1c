"""What people decide about a run: where it lies, one writer at a time, and a log of who did what."""
