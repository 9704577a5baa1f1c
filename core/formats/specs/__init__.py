"""The rows of the table of formats, a module for what one framework writes."""
