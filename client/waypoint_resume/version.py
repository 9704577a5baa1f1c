"""The version of this package, which stands in every claim and lease."""

__version__ = "0.2.0"
