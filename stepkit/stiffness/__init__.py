"""How stiff: indices of trajectories and of networks, the ratio of a matrix, sequences of indices.

The indices are relative speeds, ||change|| / ||state||. That is one proxy for stiffness and not the
thing itself; `stiffness_aware_index` shows three places where the two part ways.
"""

from stepkit.stiffness.aware_index import stiffness_aware_index
from stepkit.stiffness.block_index import BlockIndex
from stepkit.stiffness.neural_index import index_model, neural_stiffness_index
from stepkit.stiffness.permutation import PermutationResult, permutation_test
from stepkit.stiffness.ranks import rank_correlation
from stepkit.stiffness.ratio import stiffness_ratio
from stepkit.stiffness.sequences import peak_to_median, spread, total_variation

__all__ = [
    "BlockIndex",
    "PermutationResult",
    "index_model",
    "neural_stiffness_index",
    "peak_to_median",
    "permutation_test",
    "rank_correlation",
    "spread",
    "stiffness_aware_index",
    "stiffness_ratio",
    "total_variation",
]
