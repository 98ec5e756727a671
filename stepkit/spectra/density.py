"""spectral_density: where the eigenvalues of a symmetric operator lie."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from stepkit._backend import compiled
from stepkit.spectra._vectors import Frame, draw, like_of, positive, seeds, to_numpy
from stepkit.spectra.lanczos import ritz_of

MARGIN = 6.0  # sigmas beyond the outermost node: the two tails hold less than 2e-9


class SpectralDensity(NamedTuple):
    """A density of eigenvalues, in NumPy.

    Attributes:
        grid: array `(points,)`.
        density: array `(points,)`; its integral is one.
        nodes: array `(num_probes, k)`, the Ritz values of each probe.
        weights: array `(num_probes, k)`; each row adds up to one.
        sigma: float, the width of the Gaussians.

    Example: the mean of f over the spectrum, here of f(x) = x^2.
    >>> found = stepkit.spectra.spectral_density(lambda v: 3.0 * v, like=4, num_probes=2)
    >>> round(float(np.mean(np.sum(found.weights * found.nodes**2, axis=-1))), 6)
    9.0
    """

    grid: np.ndarray
    density: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    sigma: float


def spectral_density(
    matvec: Callable[[Any], Any],
    like: Any = None,
    order: int = 40,
    num_probes: int = 10,
    *,
    probes: Any = None,
    sigma: float | None = None,
    grid: Any = None,
    seed: Any = None,
) -> SpectralDensity:
    """Estimates the density of the eigenvalues of a symmetric operator: stochastic Lanczos.

    A random vector v of unit length sees the spectrum with the weights (v . u_i)^2, u_i being the
    eigenvectors: 1 / n on average. Lanczos from v gives the Gauss quadrature of these weights, with
    nodes t_j and weights w_j; the mean over the probes is smoothed with Gaussians,

        density(x) = mean over probes of sum_j w_j N(x; t_j, sigma^2).

    A must be symmetric, or J^T J; for what `lanczos` finds where it is not, see there.

    Args:
        matvec: callable v -> A v; with tensors it runs in a traced program.
        like: int n, for NumPy vectors of that length; or an array, a tensor or a structure of them
            that shows the shapes. Defaults to `None`: that of `probes`, or what the operator tells
            (`matvec.like`).
        order: int, the dimension of each Krylov space. Defaults to `40`.
        num_probes: int, the number of normal vectors. Defaults to `10`.
        probes: list of starting vectors to use in their place. Defaults to `None`.
        sigma: float, the width of the Gaussians. Defaults to `None`: 1 % of the range of the nodes
            (of their modulus, where there is one node only).
        grid: array, increasing, where the density is wanted. Defaults to `None`: from 6 sigma below
            the nodes to 6 sigma above, in steps of at most sigma / 4, on which the trapezoidal rule
            gives one to nine digits.
        seed: int, `keras.random.SeedGenerator` or `None`. Defaults to `None`: new ones each time.

    Returns:
        `SpectralDensity`.

    Raises:
        ValueError: where `sigma` is not positive, or shapes do not fit.

    Example:
    >>> found = spectral_density(lambda v: v * np.linspace(0, 1, 50), like=50, seed=1)
    >>> round(float(np.sum(found.density) * (found.grid[1] - found.grid[0])), 6)
    1.0

    Reference: B. Ghorbani et al., *An Investigation into Neural Net Optimization via Hessian
    Eigenvalue Density*, ICML 2019; S. Ubaru et al., SIAM J. Matrix Anal. Appl. 38 (2017) 1075-1099.
    """
    if sigma is not None and not sigma > 0:
        raise ValueError(f"`sigma` must be positive. Received: sigma={sigma}")
    order, num_probes = positive("order", order), positive("num_probes", num_probes)
    if probes is None:
        like = like_of(matvec, like)
        probes = (draw(like, s, "normal") for s in seeds(seed, num_probes))
    nodes, weights = _quadrature(matvec, probes, order)
    sigma = float(_default_sigma(nodes) if sigma is None else sigma)
    grid = _default_grid(nodes, sigma) if grid is None else np.asarray(grid, dtype=float)
    return SpectralDensity(grid, _smooth(grid, nodes, weights, sigma), nodes, weights, sigma)


def _quadrature(matvec, probes, order):
    """Returns nodes and weights, one row per probe."""
    rows, run = [], None
    for probe in probes:
        if run is None:
            run = _program(matvec, Frame(probe), order)
        rows.append([to_numpy(part).astype(float) for part in run(probe)])
    nodes, weights = (np.stack(part) for part in zip(*rows, strict=True))
    return nodes, weights


def _program(matvec, frame, order):
    """Returns the function from a probe to its nodes and weights, traced once for all probes."""

    def run(probe):
        ritz = ritz_of(frame.operator(matvec), frame.flatten(probe), order, frame, seed=0)
        return ritz.values, ritz.weights

    return run if frame.xp is np else compiled(run)


def _default_sigma(nodes):
    spread = np.ptp(nodes)
    size = np.max(np.abs(nodes))
    return 0.01 * (spread if spread > 1e-6 * size else (size or 1.0))


def _default_grid(nodes, sigma):
    low, high = np.min(nodes) - MARGIN * sigma, np.max(nodes) + MARGIN * sigma
    return np.linspace(low, high, int(np.ceil(4 * (high - low) / sigma)) + 1)


def _smooth(grid, nodes, weights, sigma):
    density = np.zeros_like(grid)
    for row, parts in zip(nodes, weights, strict=True):
        bells = np.exp(-0.5 * ((grid[:, None] - row) / sigma) ** 2)
        density += bells @ parts
    return density / (len(nodes) * sigma * np.sqrt(2 * np.pi))
