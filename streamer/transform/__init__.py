"""What Planhat should be told: one call in, operations or the reason for none out.

Pure and total: no call makes it fail, and it knows nothing of time, networks or earlier calls.
"""

from streamer.transform.choices import Link
from streamer.transform.operations import Skipped, Transformed
from streamer.transform.rules import Rules
from streamer.transform.told import told_of, transform

__all__ = ["Link", "Rules", "Skipped", "Transformed", "told_of", "transform"]
