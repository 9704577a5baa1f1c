"""Where roots lie: the protocol by which the core reads a root, and the local disk behind it."""
