"""What pages are made of, a folder for each subject."""
