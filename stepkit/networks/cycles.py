"""Signed cycles: feedback loops of a network, and what they cost its nodes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from stepkit.networks._adjacency import adjacency, degrees

MOST_WALKS = 20_000_000  # closed walks up to the longest length: what an enumeration may meet
LENGTHS = (3, 4, 5, 6)


def simple_cycles(network: Any, max_length: int | None = None) -> Iterator[tuple[list[int], float]]:
    """Yields each simple directed cycle once, `(nodes, product of its weights)`.

    Args:
        network: array `(n, n)`, sparse matrix or networkx graph; `A[i, j] != 0` is an arc i -> j.
        max_length: int, the most arcs; `None` for all cycles, whose number may grow as n!.

    Raises:
        ValueError: where there may be too many: more than 20 million closed walks of these lengths.

    Example:
    >>> list(simple_cycles([[0.0, 2.0], [-0.5, 0.0]]))
    [([0, 1], -1.0)]

    Reference: D. B. Johnson, SIAM J. Comput. 4 (1975) 77-84, by networkx.
    """
    import networkx as nx

    matrix = adjacency(network)
    longest = len(matrix) if max_length is None else min(max_length, len(matrix))
    if longest < 1:
        raise ValueError(f"`max_length` must be at least 1. Received: max_length={max_length}")
    _check_count(matrix, longest)
    graph = nx.from_numpy_array(matrix, create_using=nx.DiGraph)
    for nodes in nx.simple_cycles(graph, length_bound=longest):
        yield nodes, float(np.prod(matrix[nodes, [*nodes[1:], nodes[0]]]))


def _check_count(matrix: np.ndarray, longest: int) -> None:
    """A simple cycle of length k is k closed walks; there are trace(N^k) of those."""
    arcs = (matrix != 0).astype("float64")
    walks, power = 0.0, np.eye(len(arcs))
    for length in range(1, longest + 1):
        power = power @ arcs
        walks += np.trace(power) / length
        if walks > MOST_WALKS:
            raise ValueError(
                f"`network` has too many closed walks to look through: more than {MOST_WALKS:,} "
                f"up to length {length}, of the {longest} asked for. Give a smaller `max_length`. "
                f"Received: {len(arcs)} nodes, {int(arcs.sum())} arcs"
            )


def signed_cycles(network: Any, max_length: int | None = None) -> dict[int, tuple[int, int]]:
    """Returns `{length: (positive, negative)}`, the numbers of simple directed cycles by sign.

    A cycle with a negative product is a negative feedback loop. Self-loops are cycles of length 1.

    Args:
        network: as in `simple_cycles`, like the errors.
        max_length: likewise.

    Example: each of two nodes inhibits the other, and itself.
    >>> signed_cycles([[-1.0, -1.0], [-1.0, -1.0]])
    {1: (0, 2), 2: (1, 0)}
    """
    found: dict[int, list[int]] = {}
    for nodes, product in simple_cycles(network, max_length):
        found.setdefault(len(nodes), [0, 0])[product < 0] += 1
    return {length: tuple(found[length]) for length in sorted(found)}


def negative_feedback_loops(network: Any, max_length: int | None = None) -> np.ndarray:
    """Returns for each node how many negative simple directed cycles go through it, `(n,)` ints.

    Args:
        network: as in `simple_cycles`, like the errors.
        max_length: likewise.

    Example:
    >>> negative_feedback_loops([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).tolist()
    [1, 1, 0]
    """
    counts = np.zeros(len(adjacency(network)), dtype=int)
    for nodes, product in simple_cycles(network, max_length):
        if product < 0:
            counts[nodes] += 1
    return counts


def motif_costs(
    network: Any, lengths: Sequence[int] = LENGTHS, sign: int = -1
) -> dict[int, np.ndarray]:
    """Returns `{k: C_k}`, `C_k[i] = sum of P / degree(i)^2` over cycles of length k through i.

    P is the product of a cycle's weights; only those with the given sign count. The degree counts
    arcs in and out, a self-loop twice.

    Args:
        network: as in `simple_cycles`, like the errors.
        lengths: ints. Defaults to 3 to 6.
        sign: `-1` or `1`. Defaults to `-1`.

    Example:
    >>> ring = np.roll(np.eye(3), 1, axis=1) * [-2.0, 1.0, 1.0]
    >>> motif_costs(ring, lengths=(3,))[3].tolist()
    [-0.5, -0.5, -0.5]
    """
    if sign not in (-1, 1):
        raise ValueError(f"`sign` must be -1 or 1. Received: sign={sign!r}")
    matrix = adjacency(network)
    costs = {k: np.zeros(len(matrix)) for k in lengths}
    for nodes, product in simple_cycles(matrix, max(lengths)):
        if len(nodes) in costs and product * sign > 0:
            costs[len(nodes)][nodes] += product
    scale = np.maximum(degrees(matrix), 1) ** 2
    return {k: cost / scale for k, cost in costs.items()}


def negative_motif_cost(
    network: Any, lengths: Sequence[int] = LENGTHS, robust: bool = False
) -> np.ndarray:
    """Returns the cost of negative motifs, `|C_3 C_4 C_5 C_6|^(1/3)` for each node, `(n,)`.

    C_k are the negative `motif_costs`. This is the published index, a cube root of four factors: a
    node without negative cycles of one of the lengths has cost 0, whatever its other cycles.

    Args:
        network: as in `simple_cycles`, like the errors.
        lengths: ints. Defaults to 3 to 6.
        robust: whether to return `sum_k log(1 + |C_k|)` instead, which has no such gap. Defaults to
            `False`.

    Example:
    >>> ring = np.roll(np.eye(3), 1, axis=1) * [-2.0, 1.0, 1.0]
    >>> negative_motif_cost(ring).tolist(), negative_motif_cost(ring, robust=True).round(3).tolist()
    ([0.0, 0.0, 0.0], [0.405, 0.405, 0.405])

    Reference: N. Bahador, M. Lankarany, Dynamics 3 (2023) 214-233, after the code that its authors
    published.
    """
    sizes = np.abs(list(motif_costs(network, lengths).values()))
    return np.log1p(sizes).sum(axis=0) if robust else np.prod(sizes, axis=0) ** (1 / 3)
