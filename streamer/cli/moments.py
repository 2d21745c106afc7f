"""How a point in time is given on the command line."""

from typing import Final

MOMENT: Final = "TIME: ISO 8601 with its zone, or a span back such as 90m, 2h, 3d"
