"""How much of what anybody's job wrote is read and kept."""

MOST_BYTES_A_CALL = 64 << 20  # of an event file; the next call goes on
MOST_TEXT_BYTES_A_CALL = 8 << 20  # of a growing file of text, which takes longer: some seconds
MOST_WHOLE_BYTES = 1 << 20  # of a file that is read whole
MOST_DOCUMENT_BYTES = 16 << 20  # of a JSON document of metrics
MOST_TAGS = 2_000  # of one file
MOST_PARAMETERS = 2_000
MOST_TEXT = 4_096  # characters of a text or of a parameter's value
MOST_NAME = 500  # characters of a tag or of a parameter's name
MOST_TEXTS = 100
MOST_PROBLEMS = 20  # of one call
MOST_LINE = 1 << 20  # bytes
DEEPEST = 16
