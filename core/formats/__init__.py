"""One module for each checkpoint format: bytes in, facts out, metadata only."""
