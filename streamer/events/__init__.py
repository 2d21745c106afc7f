"""CORE: what Segment says: decoded mappings become calls. No I/O, no clock."""
