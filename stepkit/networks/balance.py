"""Structural balance: can the nodes be split into two camps without a frustrated arc?"""

from typing import Any

import numpy as np

from stepkit.networks._adjacency import adjacency, off_diagonal

MOST_NODES = 20  # 2^19 splits
CHUNK = 1 << 14


def signed_laplacian(network: Any) -> np.ndarray:
    """Returns `L = diag(sum_j |S_ij|) - S` for the signs S of all arcs, those both ways added.

    `x^T L x` is the sum of `(x_i - s_ij x_j)^2` over arcs: zero for one split of a balanced network
    into camps, so the least eigenvalue of a connected network is 0 exactly where it is balanced.
    Self-loops are left out.

    Args:
        network: array `(n, n)`, sparse matrix or networkx graph.

    Example:
    >>> np.linalg.eigvalsh(signed_laplacian([[0.0, -3.0], [0.0, 0.0]])).round(12).tolist()
    [0.0, 2.0]

    Reference: J. Kunegis et al., *Spectral Analysis of Signed Graphs for Clustering, Prediction and
    Visualization*, SDM 2010.
    """
    signs = np.sign(off_diagonal(adjacency(network)))
    both, sizes = signs + signs.T, abs(signs) + abs(signs.T)
    return np.diag(sizes.sum(axis=1)) - both


def is_balanced(network: Any) -> bool:
    """Returns whether every cycle, whichever way its arcs point, has a positive product of signs.

    Args:
        network: as in `signed_laplacian`. It may fall into parts.

    Example: an enemy of my enemy is my friend; three enemies of each other are frustrated.
    >>> enemies = -np.ones((3, 3))
    >>> is_balanced(enemies[:2, :2]), is_balanced(enemies)
    (True, False)

    Reference: F. Harary, Michigan Math. J. 2 (1953) 143-146.
    """
    signs = np.sign(off_diagonal(adjacency(network)))
    camp = np.zeros(len(signs))
    for root in range(len(signs)):
        if camp[root]:
            continue
        camp[root], waiting = 1.0, [root]
        while waiting:
            i = waiting.pop()
            for row in (signs[i], signs[:, i]):
                for j in np.flatnonzero(row):
                    if not camp[j]:
                        camp[j] = row[j] * camp[i]
                        waiting.append(int(j))
                    elif camp[j] != row[j] * camp[i]:
                        return False
    return True


def frustration_index(network: Any) -> int:
    """Returns the least number of frustrated arcs over all splits of the nodes into two camps.

    An arc is frustrated if it is positive between the camps or negative within one. All 2^(n - 1)
    splits are tried. Self-loops are left out.

    Args:
        network: as in `signed_laplacian`.

    Raises:
        ValueError: for more than 20 nodes.

    Example:
    >>> frustration_index(-np.ones((3, 3)))
    2

    Reference: S. Aref, M. C. Wilson, J. Complex Networks 7 (2019) 163-189.
    """
    return _best_splits(network)[0]


def frustrated_arcs(network: Any) -> np.ndarray:
    """Returns how many frustrated arcs touch each node in the best split, `(n,)`.

    Where several splits are best, their mean.

    Args:
        network: as in `frustration_index`, like the errors.

    Example: in the best split one of three enemies sits with another.
    >>> frustrated_arcs(-np.ones((3, 3))).round(3).tolist()
    [1.333, 1.333, 1.333]
    """
    _, splits, signs = _best_splits(network)
    apart = splits[:, :, None] * splits[:, None, :] * signs < 0
    return (apart.sum(axis=1) + apart.sum(axis=2)).mean(axis=0)


def walk_balance(network: Any) -> float:
    """Returns `tr(exp S) / tr(exp |S|)` for the signs S of arcs: 1 where every walk home is kind.

    Closed walks count by the product of their signs, those of length k with weight 1 / k!. Self-
    loops are left out.

    Args:
        network: as in `signed_laplacian`.

    Example:
    >>> walk_balance(-np.ones((2, 2))), round(walk_balance(-np.ones((3, 3))), 3)
    (1.0, 0.686)

    Reference: E. Estrada, M. Benzi, Phys. Rev. E 90 (2014) 042802.
    """
    from scipy.linalg import expm

    signs = np.sign(off_diagonal(adjacency(network)))
    return float(np.trace(expm(signs)) / np.trace(expm(abs(signs))))


def _best_splits(network: Any) -> tuple[int, np.ndarray, np.ndarray]:
    """The least number of frustrated arcs, the splits `(m, n)` of +1 and -1, and the signs."""
    signs = np.sign(off_diagonal(adjacency(network)))
    n = len(signs)
    if n > MOST_NODES:
        raise ValueError(
            f"`network` must have at most {MOST_NODES} nodes: all 2^(n - 1) splits are tried. "
            f"Received: {n} nodes"
        )
    arcs, least, best = np.count_nonzero(signs), np.inf, []
    for start in range(0, 1 << (n - 1), CHUNK):
        codes = np.arange(start, min(start + CHUNK, 1 << (n - 1)))
        splits = 1.0 - 2.0 * ((codes[:, None] >> np.arange(n)) & 1)  # the last node never moves
        frustrated = (arcs - np.einsum("mi,ij,mj->m", splits, signs, splits, optimize=True)) / 2
        if frustrated.min() < least:
            least, best = frustrated.min(), []
        if frustrated.min() == least:
            best.append(splits[frustrated == least])
    return round(least), np.concatenate(best), signs
