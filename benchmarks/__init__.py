"""Benchmarks: ratios against public tools, measured in the same run."""
