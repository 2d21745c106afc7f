"""Measurements. Nothing here is asserted: the machine's speed is not ours to promise."""
