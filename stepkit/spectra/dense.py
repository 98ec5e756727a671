"""Numbers of small dense matrices, in NumPy: spectral radius, abscissa, logarithmic norm, range."""

from typing import Any

import numpy as np
from keras import ops

from stepkit.spectra._vectors import positive


def spectral_radius(matrix: Any) -> Any:
    """Returns the largest modulus of an eigenvalue.

    Args:
        matrix: array `(..., n, n)`, real or complex, or a tensor.

    Returns:
        NumPy float, or array `(...)`.

    Raises:
        ValueError: where the last two axes are not square.

    Example:
    >>> round(float(spectral_radius([[0.0, -2.0], [2.0, 0.0]])), 6)
    2.0
    """
    return np.max(np.abs(np.linalg.eigvals(_square(matrix))), axis=-1)


def spectral_abscissa(matrix: Any) -> Any:
    """Returns the largest real part of an eigenvalue: y' = A y decays just where it is negative.

    Args:
        matrix: array `(..., n, n)`, real or complex, or a tensor.

    Returns:
        NumPy float, or array `(...)`.

    Raises:
        ValueError: where the last two axes are not square.

    Example:
    >>> float(spectral_abscissa([[-1.0, 5.0], [0.0, -3.0]]))
    -1.0
    """
    return np.max(np.linalg.eigvals(_square(matrix)).real, axis=-1)


def logarithmic_norm(matrix: Any, p: Any = 2) -> Any:
    """Returns the logarithmic norm: the one-sided derivative of |I + h A| in h at 0.

        p = 2:    the largest eigenvalue of (A + A^H) / 2, also called the numerical abscissa
        p = 1:    the largest over columns j of Re a_jj + sum over i != j of |a_ij|
        p = inf:  the largest over rows i of Re a_ii + sum over j != i of |a_ij|

    It may be negative, so it is no norm. Solutions of y' = A y obey |y(t)| <= exp(mu t) |y(0)| at
    all times t >= 0, and no smaller number will do for all short times. It is at least the spectral
    abscissa, with equality for p = 2 where A is normal.

    Args:
        matrix: array `(..., n, n)`, real or complex, or a tensor.
        p: `1`, `2` or `np.inf`, the vector norm to which it belongs. Defaults to `2`.

    Returns:
        NumPy float, or array `(...)`.

    Raises:
        ValueError: where the last two axes are not square, or `p` is none of these.

    Example: eigenvalues -1 and -3, and yet solutions may grow at first.
    >>> A = [[-1.0, 5.0], [0.0, -3.0]]
    >>> [round(float(logarithmic_norm(A, p)), 4) for p in (1, 2, np.inf)]
    [2.0, 0.6926, 4.0]

    Reference: G. Soderlind, *The logarithmic norm. History and modern theory*, BIT 46 (2006)
    631-652.
    """
    matrix = _square(matrix)
    if p == 2:
        return np.max(np.linalg.eigvalsh((matrix + _adjoint(matrix)) / 2), axis=-1)
    if p not in (1, np.inf):
        raise ValueError(f"`p` must be 1, 2 or np.inf. Received: p={p!r}")
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    off = np.abs(matrix).sum(axis=-2 if p == 1 else -1) - np.abs(diagonal)
    return np.max(diagonal.real + off, axis=-1)


def numerical_range(matrix: Any, num_angles: int = 128) -> np.ndarray:
    """Returns points on the boundary of the numerical range {v^H A v : |v| = 1}.

    It is convex, contains the eigenvalues, and is their convex hull where A is normal. For each
    angle the point farthest in that direction is v^H A v, v being the first eigenvector of the
    Hermitian part of exp(-i angle) A. The polygon through the points lies within the range.

    Args:
        matrix: array `(..., n, n)`, real or complex, or a tensor.
        num_angles: int, at least 3. Defaults to `128`.

    Returns:
        Complex array `(..., num_angles)`, counter-clockwise; the first is farthest to the right, at
        the logarithmic 2-norm.

    Raises:
        ValueError: where the last two axes are not square, or `num_angles` is less than 3.

    Example: a Jordan block, whose range is a disk.
    >>> points = numerical_range([[0.0, 1.0], [0.0, 0.0]], num_angles=8)
    >>> bool(np.allclose(np.abs(points), 0.5))
    True

    Reference: C. Johnson, *Numerical determination of the field of values*, SIAM J. Numer. Anal. 15
    (1978) 595-602.
    """
    if positive("num_angles", num_angles) < 3:
        raise ValueError(f"`num_angles` must be an int >= 3. Received: num_angles={num_angles!r}")
    matrix = _square(matrix)[..., None, :, :]
    turn = np.exp(-2j * np.pi * np.arange(num_angles) / num_angles)[:, None, None]
    turned = turn * matrix
    v = np.linalg.eigh((turned + _adjoint(turned)) / 2)[1][..., -1]
    return np.sum(v.conj() * (matrix @ v[..., None])[..., 0], axis=-1)


def _square(matrix: Any) -> np.ndarray:
    matrix = np.asarray(ops.convert_to_numpy(matrix))
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.size == 0:
        raise ValueError(f"`matrix` must have shape (..., n, n). Received: shape {matrix.shape}")
    return matrix if np.issubdtype(matrix.dtype, np.inexact) else matrix.astype(float)


def _adjoint(matrix: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrix.conj(), -1, -2)
