"""State files put right: proposed as a diff, written under the safety rules, undone."""
