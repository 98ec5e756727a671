"""Signed directed networks: spectrum, participation, cycles, balance, and changed nodes."""

from stepkit.networks.balance import (
    frustrated_arcs,
    frustration_index,
    is_balanced,
    signed_laplacian,
    walk_balance,
)
from stepkit.networks.cycles import (
    motif_costs,
    negative_feedback_loops,
    negative_motif_cost,
    signed_cycles,
    simple_cycles,
)
from stepkit.networks.perturbation import abscissa_changes, perturb_node
from stepkit.networks.piezoelectric_tube import companion, piezoelectric_tube
from stepkit.networks.random_walk import random_walk_score
from stepkit.networks.spectrum import (
    eigenvalue_sensitivity,
    modes,
    participation_factors,
    spectral_abscissa,
)

__all__ = [
    "abscissa_changes",
    "companion",
    "eigenvalue_sensitivity",
    "frustrated_arcs",
    "frustration_index",
    "is_balanced",
    "modes",
    "motif_costs",
    "negative_feedback_loops",
    "negative_motif_cost",
    "participation_factors",
    "perturb_node",
    "piezoelectric_tube",
    "random_walk_score",
    "signed_cycles",
    "signed_laplacian",
    "simple_cycles",
    "spectral_abscissa",
    "walk_balance",
]
