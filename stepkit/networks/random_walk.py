"""A score of nodes from two biased steps away from them."""

from typing import Any

import numpy as np

from stepkit.networks._adjacency import adjacency, degrees, off_diagonal


def random_walk_score(network: Any, q: float = 0.1) -> np.ndarray:
    """Returns for each node the weights of two steps i -> c -> m away from it, `(n,)`.

    ```
    score_i = sum_{c, m} (A[i, c] + b A[c, m]) / (sum of A)^2 / degree(i)^2
    b       = 1 where there is an arc m -> i, else 1 / q
    ```

    i, c and m are three different nodes with arcs i -> c and c -> m. The sum of A is over all
    entries, self-loops too; the degree counts arcs in and out, a self-loop twice.

    Args:
        network: array `(n, n)`, sparse matrix or networkx graph.
        q: positive float, node2vec's in-out parameter: below 1, steps outwards count for more.
            Defaults to `0.1`.

    Raises:
        ValueError: where the entries add up to 0, or `q` is not positive.

    Example: from node 0 two steps lead to node 2, and from nowhere else.
    >>> random_walk_score([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]).tolist()
    [2.75, 0.0, 0.0]

    Reference: A. Grover, J. Leskovec, *node2vec*, KDD 2016, for the bias; N. Bahador, M. Lankarany,
    Dynamics 3 (2023) 214-233 for the score, after the code that its authors published.
    """
    if not q > 0:
        raise ValueError(f"`q` must be positive. Received: q={q!r}")
    matrix = adjacency(network)
    total = matrix.sum()
    if total == 0:
        raise ValueError("`network` must have weights that do not add up to 0. Received: sum 0")
    steps = off_diagonal(matrix)
    there = (steps != 0).astype("float64")
    # There is a way i -> c -> m with m not i; and is there an arc back from m to i?
    bias = np.where(there.T > 0, 1.0, 1.0 / q)
    np.fill_diagonal(bias, 0.0)
    ways = there @ there
    np.fill_diagonal(ways, 0.0)
    ends = there.sum(axis=1)[None, :] - there.T  # of c, other than i
    first = (steps * ends).sum(axis=1)
    second = (bias * (there @ steps)).sum(axis=1)
    return (first + second) / total**2 / np.maximum(degrees(matrix), 1) ** 2
