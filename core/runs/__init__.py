"""From listings to runs: the walk, groups of files, which folders are runs, series, the choice."""
