"""What counts as a network: a square real matrix, or a graph of networkx."""

from typing import Any

import numpy as np


def adjacency(network: Any, name: str = "network") -> np.ndarray:
    """Returns the matrix A of a network in double precision; a copy.

    Args:
        network: array `(n, n)`, sparse matrix, or networkx graph whose arcs may have a `weight`.
        name: str, of the argument, for errors.

    Raises:
        ValueError: for what is no square matrix of finite real numbers, and for parallel arcs.
    """
    if hasattr(network, "is_multigraph"):
        return _of_graph(network, name)
    matrix = np.asarray(network.toarray() if hasattr(network, "toarray") else network)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ValueError(
            f"`{name}` must be a square matrix, one row and one column for each node. "
            f"Received: shape {matrix.shape}"
        )
    if matrix.dtype.kind not in "biuf":
        raise ValueError(
            f"`{name}` must hold real numbers, the weights of arcs. Received: dtype {matrix.dtype}"
        )
    matrix = matrix.astype("float64")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(
            f"`{name}` must hold finite numbers. "
            f"Received: {matrix[row, column]} in row {row}, column {column}"
        )
    return matrix


def _of_graph(graph: Any, name: str) -> np.ndarray:
    import networkx as nx

    if graph.is_multigraph():
        pairs = [(u, v) for u, v in graph.edges() if graph.number_of_edges(u, v) > 1]
        if pairs:
            raise ValueError(
                f"`{name}` must have at most one arc from a node to another; add up the weights "
                f"of parallel ones first. Received: {len(pairs)} parallel arcs, such as {pairs[0]}"
            )
    if not len(graph):
        raise ValueError(f"`{name}` must have nodes. Received: a graph without any")
    return adjacency(nx.to_numpy_array(graph, nodelist=list(graph)), name)


def off_diagonal(matrix: np.ndarray) -> np.ndarray:
    """Returns the matrix without self-loops."""
    return matrix - np.diag(np.diag(matrix))


def degrees(matrix: np.ndarray) -> np.ndarray:
    """Returns arcs in and out of each node; a self-loop counts twice."""
    there = matrix != 0
    return there.sum(axis=0) + there.sum(axis=1)


def check_node(node: Any, count: int) -> int:
    """Returns the number of a node; `IndexError` for what is none."""
    if not isinstance(node, (int, np.integer)) or isinstance(node, bool):
        raise TypeError(f"`node` must be a whole number. Received: node={node!r}")
    if not 0 <= node < count:
        raise IndexError(f"`node` must be from 0 to {count - 1}. Received: node={node}")
    return int(node)
