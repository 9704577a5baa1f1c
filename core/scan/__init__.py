"""Walking the roots: listings, groups of files, runs, series, and the indexer that keeps the catalog true."""
