"""Ritz: what Lanczos and Arnoldi return."""

from typing import Any, NamedTuple


class Ritz(NamedTuple):
    """Approximate eigenvalues and unit eigenvectors from a Krylov space of dimension k.

    Per sample, each attribute has the batch as its first axis.

    Attributes:
        values: array `(k,)`.
        vectors: structure of the starting vector, each leaf with a new axis of length k in front of
            the vector's own: `vectors[j]` of a single array belongs to `values[j]`.
        residuals: array `(k,)`, the norms |A y - value y|, exact up to rounding.
        weights: array `(k,)`, the squared parts of the normalised starting vector along the Ritz
            vectors; for a symmetric A they add up to one and are the weights of Gauss quadrature.
        steps: int scalar, the dimension of the Krylov space of the starting vector. Where it is
            less than k, that space is invariant: k - steps values come from random directions, and
            are Ritz values of A all the same.

    Example:
    >>> ritz = stepkit.spectra.lanczos(lambda v: v * np.array([1.0, 2.0, 3.0]), np.ones(3), 3)
    >>> np.round(ritz.values, 6).tolist()
    [3.0, 2.0, 1.0]
    """

    values: Any
    vectors: Any
    residuals: Any
    weights: Any
    steps: Any
