"""What runs achieved: curves with their checkpoints, and runs side by side."""
