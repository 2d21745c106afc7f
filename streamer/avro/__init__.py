"""EDGE: fastavro. Bytes to mappings and back; nothing of fastavro leaves this room."""
