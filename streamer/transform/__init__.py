"""CORE: what Planhat should be told. No I/O, no clock."""
