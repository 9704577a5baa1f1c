"""Helper processes: with limits, followed by messages, ended when they hang."""
