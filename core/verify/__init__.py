"""Reading every byte of a checkpoint once: checksums, and whether the numbers are finite."""
