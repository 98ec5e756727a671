"""What happens to a network when one of its nodes is changed."""

from typing import Any

import numpy as np

from stepkit.networks._adjacency import adjacency, check_node
from stepkit.networks.spectrum import spectral_abscissa

KINDS = ("delete", "self_gain", "row", "column")


def perturb_node(network: Any, node: int, kind: str = "delete", by: float = 0.1) -> np.ndarray:
    """Returns the matrix of a network with one node changed.

    ```
    delete      without its row and column, (n - 1, n - 1)
    self_gain   A[i, i] + by
    row         (1 + by) times what acts on it, in x' = A x
    column      (1 + by) times what it does to others
    ```

    Row and column times the same number give the same spectrum.

    Args:
        network: array `(n, n)`, sparse matrix or networkx graph.
        node: int, from 0.
        kind: str, as above. Defaults to `"delete"`.
        by: float. Defaults to `0.1`.

    Raises:
        IndexError: for a `node` that is none.
        ValueError: for another `kind`, and where the only node would be deleted.

    Example:
    >>> perturb_node([[1.0, 2.0], [3.0, 4.0]], 0).tolist()
    [[4.0]]
    >>> perturb_node([[1.0, 2.0], [3.0, 4.0]], 0, "row", by=1.0).tolist()
    [[2.0, 4.0], [3.0, 4.0]]
    """
    matrix = adjacency(network)
    i = check_node(node, len(matrix))
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {KINDS}. Received: kind={kind!r}")
    if kind == "delete":
        if len(matrix) == 1:
            raise ValueError("`network` must have another node to keep. Received: 1 node")
        return np.delete(np.delete(matrix, i, axis=0), i, axis=1)
    if kind == "self_gain":
        matrix[i, i] += by
    elif kind == "row":
        matrix[i] *= 1.0 + by
    else:
        matrix[:, i] *= 1.0 + by
    return matrix


def abscissa_changes(network: Any, kind: str = "delete", by: float = 0.1) -> np.ndarray:
    """Returns by how much the spectral abscissa rises when each node is changed, `(n,)`.

    Negative where the change calms the network.

    Args:
        network: as in `perturb_node`, like the errors.
        kind: likewise.
        by: likewise.

    Example: without its growing node, a network decays.
    >>> abscissa_changes([[1.0, 0.0], [0.0, -2.0]]).tolist()
    [-3.0, 0.0]
    """
    matrix = adjacency(network)
    before = spectral_abscissa(matrix)
    changed = (perturb_node(matrix, i, kind, by) for i in range(len(matrix)))
    return np.array([spectral_abscissa(each) - before for each in changed])
