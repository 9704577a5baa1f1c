"""What was found, kept in a database: a cache that can be deleted at any time."""
