"""Keras layers that are one step, or many, of an ODE."""

from stepkit.layers.ode_block import ODEBlock
from stepkit.layers.residual_blocks import ResidualBlock, residual_blocks
from stepkit.layers.residual_step import ResidualStep

__all__ = ["ODEBlock", "ResidualBlock", "ResidualStep", "residual_blocks"]
