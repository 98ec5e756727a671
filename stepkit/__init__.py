"""Attention as a step size: residual networks, stiffness and StepNet, in Keras."""

__version__ = "0.1.0"
