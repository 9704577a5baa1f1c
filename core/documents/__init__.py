"""The JSON of every record that the shell prints: one module a subject (docs/cli.md)."""
