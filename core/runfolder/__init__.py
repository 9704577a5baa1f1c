"""A run's folder as people and jobs act on it: decisions, the lock, the log, whether it lives."""
