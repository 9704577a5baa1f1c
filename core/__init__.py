"""Waypoint's core: reads checkpoints, judges them, hands them over. It imports neither streamlit nor tensorflow."""
