"""BlockMargins: where the residual blocks of a network lie in a solver's stability region."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class BlockMargins:
    """What `block_margin` found, per sample and block; NumPy throughout.

    Args:
        names: tuple of str, the blocks in the order of computation.
        eigenvalues: tuple with a complex array `(samples, k)` for each block: all eigenvalues of
            its branch Jacobian hJ, or Ritz values of it.
        dense: tuple of bool, whether a block's numbers come from its whole Jacobian.
        abscissa: array `(samples, blocks)`, the largest real part of an eigenvalue.
        radius: array `(samples, blocks)`, the largest modulus.
        amplification: array `(samples, blocks)`, the largest |R(z)| of an eigenvalue z of hJ.
        margin: array `(samples, blocks)`, 1 - amplification: negative outside the region.
        logarithmic_norm: array `(samples, blocks)`, the largest eigenvalue of the symmetric part of
            hJ; at least the abscissa, with equality where hJ is normal.
        departure: array `(samples, blocks)`, Henrici's departure from normality relative to the
            norm, `sqrt(|hJ|_F^2 - sum |z|^2) / |hJ|_F`, from 0 for a normal to 1 for a nilpotent
            matrix; NaN where a block is not dense.
        commutator: array `(samples, blocks)`, `|J^T J - J J^T|_F / |J|_F^2`, from 0 for a normal
            matrix to sqrt(2); estimated by random probes where a block is not dense.

    Example:
    >>> step = stepkit.layers.ResidualStep(keras.layers.Rescaling(-3.0), name="step")
    >>> model = keras.Sequential([keras.Input((2,)), step])
    >>> found = stepkit.stability.block_margin(model, np.ones((1, 2)))
    >>> found.names, found.eigenvalues[0].real.tolist(), found.stable.tolist()
    (('step',), [[-3.0, -3.0]], [[False]])
    """

    names: tuple[str, ...]
    eigenvalues: tuple[np.ndarray, ...]
    dense: tuple[bool, ...]
    abscissa: np.ndarray
    radius: np.ndarray
    amplification: np.ndarray
    margin: np.ndarray
    logarithmic_norm: np.ndarray
    departure: np.ndarray
    commutator: np.ndarray

    @property
    def stable(self) -> np.ndarray:
        """Bool array `(samples, blocks)`, whether no eigenvalue is amplified."""
        return self.margin >= 0

    def __len__(self) -> int:
        return len(self.margin)
