"""How far the values of two checkpoints lie apart, variable by variable, read in a process of its own."""
