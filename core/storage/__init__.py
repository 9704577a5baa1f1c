"""Where the disk went, what could go, and taking it away so that it can be brought back."""
