"""Where the disk went: the audit, its sums, growth, the tree for a chart."""
