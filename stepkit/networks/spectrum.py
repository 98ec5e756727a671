"""The spectrum of a linear network x' = A x, and which node has what part in it."""

from typing import Any

import numpy as np

from stepkit.networks._adjacency import adjacency


def spectral_abscissa(network: Any) -> float:
    """Returns the largest real part of the eigenvalues: the rate at which x' = A x grows at last.

    Args:
        network: array `(n, n)`, sparse matrix, or networkx graph. `A[i, j]` is what node j does to
            node i in x' = A x.

    Raises:
        ValueError: where `network` is no square matrix of finite real numbers.

    Example:
    >>> round(spectral_abscissa([[0.0, 1.0], [-4.0, -0.4]]), 12)
    -0.2
    """
    return float(np.linalg.eigvals(adjacency(network)).real.max())


def modes(network: Any, count: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns eigenvalues, right and left eigenvectors, with `left[:, k] @ right[:, k] = 1`.

    Eigenvalues fall in real part; of a complex pair the one with the positive imaginary part comes
    first. Left eigenvectors are rows of the inverse of the right ones, not conjugated.

    Args:
        network: as in `spectral_abscissa`.
        count: int, how many of the rightmost modes, by Arnoldi's method on the sparse matrix: for
            thousands of nodes. `None` for all of them, by dense algebra.

    Raises:
        ValueError: for a `count` that is not from 1 to n - 2, and for a defective matrix, which
            has too few eigenvectors.

    Example:
    >>> values, right, left = modes([[0.0, 1.0], [-4.0, 0.0]])
    >>> values.round(12).tolist()
    [2j, -2j]
    """
    matrix = adjacency(network)
    n = len(matrix)
    if count is not None and not 1 <= count <= n - 2:
        raise ValueError(
            f"`count` must be from 1 to {n - 2}, two less than the nodes, or None. "
            f"Received: count={count}"
        )
    values, right, left = _all_modes(matrix) if count is None else _rightmost(matrix, count)
    order = _order(values)
    values, right, left = values[order], right[:, order], left[:, order]
    products = np.einsum("ik,ik->k", left, right)
    sizes = np.linalg.norm(left, axis=0) * np.linalg.norm(right, axis=0)
    if (abs(products) < 1e-10 * sizes).any():
        worst = values[np.argmin(abs(products) / sizes)]
        raise ValueError(
            "`network` must have a full set of eigenvectors: participation and sensitivity are "
            f"infinite otherwise. Received: a defective eigenvalue near {worst:.4g}"
        )
    return values, right, left / products


def _all_modes(matrix):
    import scipy.linalg

    values, left, right = scipy.linalg.eig(matrix, left=True, right=True)
    return values, right, left.conj()


def _rightmost(matrix, count):
    import scipy.sparse.linalg

    sparse = scipy.sparse.csr_array(matrix)
    start = np.random.default_rng(0).normal(size=len(matrix))
    (values, right), (others, left) = (
        scipy.sparse.linalg.eigs(operator, count, which="LR", v0=start)
        for operator in (sparse, sparse.T)
    )
    # The two come in orders of their own, and may have cut a complex pair at different ends.
    others, left = np.append(others, others.conj()), np.append(left, left.conj(), axis=1)
    nearest = abs(values[:, None] - others).argmin(axis=1)
    return values, right, left[:, nearest]


def _order(values):
    """From the largest real part on; of a complex pair the positive imaginary part first."""
    order = np.argsort(-values.real, kind="stable")
    scale = 1e-8 * (abs(values).max() or 1.0)
    for k in range(len(order) - 1):
        one, two = values[order[k]], values[order[k + 1]]
        if one.imag < 0 < two.imag and abs(one - two.conj()) < scale:
            order[[k, k + 1]] = order[[k + 1, k]]
    return order


def participation_factors(network: Any, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns eigenvalues `(modes,)` and `p[i, k] = w_k[i] v_k[i] / (w_k . v_k)`, `(n, modes)`.

    v_k is the right and w_k the left eigenvector of mode k. The complex factors of a mode sum to 1;
    they are the derivatives of its eigenvalue by the self-gains A[i, i]. Modes come in the order of
    `modes`: the one that grows fastest first.

    Args:
        network: as in `spectral_abscissa`.
        count: as in `modes`.

    Example: two uncoupled nodes, one growing and one decaying.
    >>> values, p = participation_factors([[1.0, 0.0], [0.0, -2.0]])
    >>> values.real.tolist(), abs(p).tolist()
    ([1.0, -2.0], [[1.0, 0.0], [0.0, 1.0]])

    Reference: I. Perez-Arriaga, G. Verghese, F. Schweppe, *Selective Modal Analysis*, IEEE Trans.
    Power App. Syst. 101 (1982) 3117-3125.
    """
    values, right, left = modes(network, count)
    return values, left * right


def eigenvalue_sensitivity(network: Any, mode: int = 0) -> np.ndarray:
    """Returns `d lambda / d A[i, j] = w[i] v[j] / (w . v)`, `(n, n)`, complex.

    Args:
        network: as in `spectral_abscissa`.
        mode: int, of the eigenvalue, in the order of `modes`. Defaults to `0`, the rightmost.

    Raises:
        IndexError: for a `mode` that is none.

    Example:
    >>> eigenvalue_sensitivity([[1.0, 0.0], [0.0, -2.0]]).real.tolist()
    [[1.0, 0.0], [0.0, 0.0]]

    Reference: G. W. Stewart, J. Sun, *Matrix Perturbation Theory*, 1990, theorem IV.2.3.
    """
    values, right, left = modes(network)
    if not 0 <= mode < len(values):
        raise IndexError(f"`mode` must be from 0 to {len(values) - 1}. Received: mode={mode}")
    return np.outer(left[:, mode], right[:, mode])
