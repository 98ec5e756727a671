"""How long may a step be? Stability functions, intervals and regions; layers kept stable."""

from stepkit.stability.a_stability import is_a_stable, is_l_stable
from stepkit.stability.block_margin import block_margin
from stepkit.stability.block_margins import BlockMargins
from stepkit.stability.is_stable import StepReport, is_stable, largest_stable_step
from stepkit.stability.jacobian_penalty import JacobianPenalty
from stepkit.stability.operator_norm_constraint import OperatorNormConstraint
from stepkit.stability.stability_function import StabilityFunction, stability_function
from stepkit.stability.stability_interval import imaginary_stability_interval, stability_interval
from stepkit.stability.stability_region import StabilityRegion, stability_region

__all__ = [
    "BlockMargins",
    "JacobianPenalty",
    "OperatorNormConstraint",
    "StabilityFunction",
    "StabilityRegion",
    "StepReport",
    "block_margin",
    "imaginary_stability_interval",
    "is_a_stable",
    "is_l_stable",
    "is_stable",
    "largest_stable_step",
    "stability_function",
    "stability_interval",
    "stability_region",
]
