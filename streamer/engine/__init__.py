"""ENGINE: moves events without losing one. Imports core only; no I/O, no clock, no dice."""
