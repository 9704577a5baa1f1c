"""The dashboard: router.py is the script that Streamlit runs, each other file a page that answers one question."""
