"""The model of a piezoelectric tube on which the study of attention and instability was made."""

import numpy as np

# Direct channels have two modes, cross channels one: frequencies in kHz and damping ratios.
CHANNELS = (
    ((0.450, 0.02), (0.940, 0.03)),
    ((0.820, 0.05),),
    ((1.120, 0.09),),
    ((0.310, 0.04), (0.600, 0.06)),
)


def piezoelectric_tube(physical: bool = False) -> np.ndarray:
    """Returns the matrix A of x' = A x: the published one, 8 x 8, or a physical stand-in, 12 x 12.

    The published matrix holds four companion matrices of 4 x 4, one for each channel from two
    voltages to two deflections. It is not the actuator, and has three faults:

    1. Powers of ten seem to have been dropped. With a12 = 4.2614e7, a13 = 1.3083e10 and
       a14 = 2.7480e14 the first channel has lightly damped modes at 448 and 936 Hz.
    2. The sign of a13 is most likely a slip. It hardly matters to the spectrum.
    3. Rows 1 and 5, 2 and 6, 3 and 7 (from 1) are equal, so that the rank is 5 and 0 a triple
       eigenvalue. And one pair of eigenvalues grows, where a real tube is stable.

    The stand-in is block-diagonal, one companion matrix for each channel, with modes of a fitting
    order: 450 and 940 Hz, 820 Hz, 1120 Hz, 310 and 600 Hz; damping ratios go from 0.02 to 0.09.
    Time is in milliseconds. Those numbers are ours.

    Args:
        physical: whether to return the stand-in. Defaults to `False`.

    Example:
    >>> piezoelectric_tube().shape, int(np.linalg.matrix_rank(piezoelectric_tube()))
    ((8, 8), 5)
    >>> values = np.linalg.eigvals(piezoelectric_tube(physical=True))
    >>> bool(values.real.max() < 0)
    True

    Reference: the numbers stand in the code published with N. Bahador, M. Lankarany, *Uncovering
    the Origins of Instability in Dynamical Systems*, Dynamics 3 (2023) 214-233. The tube: D.
    Hammouche, P. Lutz, M. Rakotondrabe, J. Dyn. Syst. Meas. Control 141 (2019) 021008.
    """
    if physical:
        return _block_diagonal([companion(_polynomial(modes)) for modes in CHANNELS])
    a = np.zeros((8, 8))
    for row, ahead in ((0, 1), (1, 2), (2, 3), (4, 1), (5, 2), (6, 3)):
        a[row, [ahead, ahead + 4]] = 1.0
    a[3, :4] = [-2.7480, 1.3083, -4.2614, -517.0544]
    a[3, 6:] = [-2.6331, -0.9492]
    a[7, 2:] = [-49.4899, -191.8224, -5.2346, -3.6549, -1.7819, -239.0092]
    return a


def companion(coefficients: np.ndarray) -> np.ndarray:
    """Returns the companion matrix of `s^n + c_1 s^(n-1) + ... + c_n`, the last row at the end.

    Args:
        coefficients: array `(c_1, ..., c_n)`.

    Example:
    >>> companion([0.4, 4.0]).tolist()
    [[0.0, 1.0], [-4.0, -0.4]]
    """
    coefficients = np.asarray(coefficients, "float64")
    matrix = np.eye(len(coefficients), k=1)
    matrix[-1] = -coefficients[::-1]
    return matrix


def _polynomial(modes):
    product = np.ones(1)
    for frequency, damping in modes:
        w = 2 * np.pi * frequency
        product = np.convolve(product, [1.0, 2 * damping * w, w * w])
    return product[1:]


def _block_diagonal(blocks):
    size = sum(map(len, blocks))
    matrix, at = np.zeros((size, size)), 0
    for block in blocks:
        matrix[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return matrix
