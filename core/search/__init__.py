"""The language in which runs and checkpoints are searched: its words, its grammar, its values. Pure."""
