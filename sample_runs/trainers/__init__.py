"""The trainers behind the sample runs: one function makes one run, each in a process of its own."""
