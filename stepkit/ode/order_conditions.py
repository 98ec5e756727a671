"""Order conditions of Runge-Kutta methods, one for each rooted tree.

A method has order p exactly when, for every rooted tree with at most p nodes, its elementary weight
equals 1 / density. There are 1, 1, 2, 4, 9, 20, ... trees with 1, 2, 3, 4, 5, 6, ... nodes.

A tree is the sorted tuple of the subtrees at its root: `()` is the single node, `((), ())` the root
with two leaves, `(((),),)` the chain of three.

Reference: Hairer, Norsett, Wanner, *Solving Ordinary Differential Equations I*, section II.2.
"""

from functools import cache
from itertools import combinations_with_replacement
from math import prod

import numpy as np

Tree = tuple  # of Tree


@cache
def rooted_trees(num_nodes: int) -> tuple[Tree, ...]:
    """Returns the rooted trees with `num_nodes` nodes.

    Example:
    >>> [len(rooted_trees(n)) for n in range(1, 7)]
    [1, 1, 2, 4, 9, 20]
    """
    return _forests(num_nodes - 1, num_nodes - 1)


@cache
def _forests(num_nodes: int, largest: int) -> tuple[tuple[Tree, ...], ...]:
    """Returns the multisets of trees, `num_nodes` nodes in all and at most `largest` in each."""
    if num_nodes == 0:
        return ((),)
    found = []
    for size in range(min(largest, num_nodes), 0, -1):
        for count in range(1, num_nodes // size + 1):
            for trees in combinations_with_replacement(rooted_trees(size), count):
                rest = _forests(num_nodes - size * count, size - 1)
                found += [(*trees, *others) for others in rest]
    return tuple(found)


def size(tree: Tree) -> int:
    """Returns the number of nodes of a tree."""
    return 1 + sum(map(size, tree))


def density(tree: Tree) -> int:
    """Returns the product, over all nodes, of the size of the subtree at that node."""
    return size(tree) * prod(map(density, tree))


def stage_weights(tree: Tree, a: np.ndarray) -> np.ndarray:
    """Returns a tree's weight at each stage: the product over its subtrees of `a @ weights`."""
    weights = np.ones(len(a))
    for subtree in tree:
        weights = weights * (a @ stage_weights(subtree, a))
    return weights


def order_conditions(a: np.ndarray, b: np.ndarray, order: int) -> np.ndarray:
    """Returns `b . weights(tree) - 1 / density(tree)` for each tree with `order` nodes.

    Args:
        a: array of shape `(stages, stages)`.
        b: array of shape `(stages,)`.
        order: int, at least 1.

    Returns:
        Array with one residual per tree; a method of order p has only zeros for 1, ..., p.

    Example: Euler's method misses the one condition of order 2.
    >>> order_conditions(np.zeros((1, 1)), np.ones(1), 2).tolist()
    [-0.5]
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    return np.array([b @ stage_weights(t, a) - 1 / density(t) for t in rooted_trees(order)])


def order_of(a: np.ndarray, b: np.ndarray, max_order: int = 8) -> int:
    """Returns the largest order, at most `max_order`, whose conditions all hold to rounding."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    for order in range(1, max_order + 1):
        # Rounding grows with the terms of these sums of products, not with the sums.
        terms = [1 + np.abs(b) @ stage_weights(t, np.abs(a)) for t in rooted_trees(order)]
        tolerance = 16 * len(b) * order * np.finfo(float).eps * np.array(terms)
        if np.any(np.abs(order_conditions(a, b, order)) > tolerance):
            return order - 1
    return max_order
