"""The mapping file: an operator's rules as TOML. Text in; rules, or every mistake with its line, out.

Pure: nothing is opened here, and no secret stands in such a file.
"""

from streamer.mapping.compiling import compiled
from streamer.mapping.finding import Finding
from streamer.mapping.reading import Mapped, MappingMistakes, read_mapping
from streamer.mapping.shape import json_schema

__all__ = ["Finding", "Mapped", "MappingMistakes", "compiled", "json_schema", "read_mapping"]
