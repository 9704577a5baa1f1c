"""All that pages and commands may call, and nothing else."""
