"""What is done to files, journal first: quarantine, undo, purge, recovery."""
