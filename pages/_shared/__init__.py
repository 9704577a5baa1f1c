"""What the pages share: the frame, reading, tables, charts, words and links."""
