"""Data sets that need no download."""

from stepkit.datasets.digits import digits

__all__ = ["digits"]
