"""What surrounds every page, and what all of them use."""
