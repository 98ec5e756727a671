"""Figures: each function draws on one Axes and returns it. Needs matplotlib (`stepkit[plots]`)."""

from stepkit.plots.convergence import convergence
from stepkit.plots.hidden_trajectories import hidden_trajectories
from stepkit.plots.phase_plane import phase_plane
from stepkit.plots.stability_region import stability_region
from stepkit.plots.trajectory import trajectory

__all__ = ["convergence", "hidden_trajectories", "phase_plane", "stability_region", "trajectory"]
