"""One checkpoint: facts, variables, code, pin, verification."""
