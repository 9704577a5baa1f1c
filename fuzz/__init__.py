"""Coverage-guided fuzzing of the readers of untrusted bytes: `make fuzz`. Targets are in `fuzz.targets`."""
