"""Facts to findings: pure rules, no disk access."""
