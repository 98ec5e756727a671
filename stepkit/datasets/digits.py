"""Handwritten digits, as scikit-learn ships them."""

import numpy as np

Split = tuple[np.ndarray, np.ndarray]


def digits(test_fraction: float = 0.25, flat: bool = False, seed: int = 0) -> tuple[Split, Split]:
    """Returns scikit-learn's 1,797 digits, 8 x 8 pixels, split into training and test set.

    The split is stratified (each digit has the same share in both sets) and depends on `seed` only.

    Args:
        test_fraction: float in (0, 1), the share of the test set. Defaults to `0.25`.
        flat: bool, whether images are vectors of 64. Defaults to `False`.
        seed: int. Defaults to `0`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images float32 in [0, 1], of shape `(n, 8, 8, 1)` or
        `(n, 64)`; labels int64 in 0, ..., 9, of shape `(n,)`.

    Raises:
        ImportError: where scikit-learn is missing.
        ValueError: where `test_fraction` is not between 0 and 1.

    Example:
    >>> (x_train, y_train), (x_test, y_test) = digits()
    >>> x_train.shape, x_test.shape, x_train.dtype.name
    ((1348, 8, 8, 1), (449, 8, 8, 1), 'float32')

    Reference: E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI (1998).
    """
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(
            "`test_fraction` must be between 0 and 1, both excluded. "
            f"Received: test_fraction={test_fraction!r}"
        )
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "`stepkit.datasets.digits` needs scikit-learn: pip install scikit-learn"
        ) from error
    data = load_digits()
    x = (data.data / 16.0).astype("float32")
    x = x if flat else x.reshape(-1, 8, 8, 1)
    y = data.target.astype("int64")
    test = _stratified(y, test_fraction, np.random.default_rng(seed))
    return (x[~test], y[~test]), (x[test], y[test])


def _stratified(labels: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Returns a boolean mask with the same share of every label, `fraction` of all in sum."""
    # Sorted by label, in random order within each: every (1 / fraction)-th is taken.
    order = np.lexsort((rng.random(len(labels)), labels))
    position = np.arange(len(labels))
    taken = np.floor((position + 1) * fraction + 0.5) > np.floor(position * fraction + 0.5)
    mask = np.zeros(len(labels), dtype=bool)
    mask[order] = taken
    return mask
