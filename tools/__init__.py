"""What the Makefile runs besides the package: pinned requirements, generated documentation."""
