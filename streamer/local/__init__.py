"""EDGE: files and the terminal as source and sink."""
