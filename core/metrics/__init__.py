"""What runs achieved and with which parameters: read from the logs that anybody's jobs write. A row for each source."""
