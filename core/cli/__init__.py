"""The same answers for a shell: `python -m core …`. Thin: everything is asked of the workspace."""
