"""Marked secrets and marked personal data on every way that something can fail: none of it comes out."""
