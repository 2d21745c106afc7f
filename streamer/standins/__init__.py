"""Stand-ins for outside systems, for demos and tests. Imported by `cli` alone, lazily; needs `[demo]`."""
