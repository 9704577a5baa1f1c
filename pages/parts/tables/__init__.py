"""Records as tables and as CSV."""
