"""What everything stands on: errors, records, names and sizes as text. Nothing but the standard library."""
