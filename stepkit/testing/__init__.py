"""Conformance checks for anybody's layers and solvers, with or without pytest."""

from stepkit.testing.check_layer import check_layer
from stepkit.testing.check_solver import check_solver
from stepkit.testing.conformance import ConformanceError

__all__ = ["ConformanceError", "check_layer", "check_solver"]
