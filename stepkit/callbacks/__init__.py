"""Keras callbacks that watch a network while it is trained."""

from stepkit.callbacks.stiffness_monitor import StiffnessMonitor

__all__ = ["StiffnessMonitor"]
