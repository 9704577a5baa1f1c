"""The server's threads: the indexer, the auditor, the verifier."""
