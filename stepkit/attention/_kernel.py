"""The kernel exp(-||q_i - k_j||^2 / T) of metric attention, and how it is normalised."""

from collections.abc import Callable
from typing import Any

from keras import ops

from stepkit._backend.autodiff import recomputed

NOTHING = -1e30  # the logarithm of a weight that a mask forbids
NORMALISATIONS = ("softmax", "sinkhorn", "diffusion", "double")


class Kernel:
    """Logarithms of the kernel, in blocks of queries so that not all need be there at once.

    Args:
        query: tensor `(..., n, d)`, in full precision.
        key: tensor `(..., m, d)`.
        temperature: T, a number or a scalar tensor.
        mask: bool tensor that broadcasts to `(..., n, m)`, or `None`.
        block: int, queries in a block, or `None` for all of them.
    """

    def __init__(self, query: Any, key: Any, temperature: Any, mask: Any, block: int | None):
        self.query, self.key, self.mask = query, key, mask
        self.temperature, self.block = temperature, block

    def parts(self) -> list[slice]:
        """The blocks of queries."""
        if self.block is None:
            return [slice(None)]
        count = self.query.shape[-2]
        return [slice(i, min(i + self.block, count)) for i in range(0, count, self.block)]

    def attend(self, value: Any, potential: Any, with_weights: bool) -> tuple[Any, ...]:
        """Returns the outputs, and the weights where they are wanted: none is kept otherwise.

        Args:
            value: tensor `(..., m, e)`.
            potential: tensor `(..., m)`, added to the logarithms of each key, or `None`.
            with_weights: whether they are.
        """

        def mixed(logarithms: Any, mask: Any, value: Any, *added: Any) -> tuple[Any, ...]:
            for each in added:
                logarithms = _masked(logarithms + each[..., None, :], mask)
            weights = ops.softmax(logarithms, axis=-1)
            if mask is not None:
                weights = ops.where(mask, weights, 0.0)  # also where all is forbidden
            weights = ops.cast(weights, value.dtype)
            out = ops.matmul(weights, value)
            return (out, weights) if with_weights else (out,)

        added = () if potential is None else (potential,)
        found = [self._block(mixed, part, value, *added) for part in self.parts()]
        return tuple(ops.concatenate(blocks, axis=-2) for blocks in zip(*found, strict=True))

    def over_keys(self, potential: Any) -> Any:
        """Returns `log sum_j exp(C_ij + v_j)` for each query, `(..., n)`."""

        def summed(logarithms: Any, mask: Any, potential: Any) -> Any:
            return ops.logsumexp(logarithms + potential[..., None, :], axis=-1)

        return ops.concatenate(
            [self._block(summed, part, potential) for part in self.parts()], axis=-1
        )

    def over_queries(self, potential: Any) -> Any:
        """Returns `log sum_i exp(C_ij + u_i)` for each key, `(..., m)`."""

        def summed(logarithms: Any, mask: Any, potential: Any) -> Any:
            return ops.logsumexp(logarithms + potential[..., None], axis=-2)

        sums = [self._block(summed, part, potential[..., part]) for part in self.parts()]
        return sums[0] if len(sums) == 1 else ops.logsumexp(ops.stack(sums, axis=0), axis=0)

    def _block(self, function: Callable, part: slice, *tensors: Any) -> Any:
        """Calls the function with the logarithms of a block, its mask, and the tensors.

        With blocks nothing of it is kept for the backward pass, which computes it again.
        """
        mask = self.mask
        if mask is not None and mask.shape[-2] != 1:
            mask = mask[..., part, :]

        def computed(query: Any, key: Any, *rest: Any) -> Any:
            return function(_logarithms(query, key, self.temperature, mask), mask, *rest)

        run = computed if self.block is None else recomputed(computed)
        return run(self.query[..., part, :], self.key, *tensors)


def _logarithms(query: Any, key: Any, temperature: float, mask: Any) -> Any:
    """Returns `-||q_i - k_j||^2 / T`, `(..., n, m)`.

    The square is taken apart, so that no tensor of differences is ever made; what rounding puts
    below zero is cut off.
    """
    squares = ops.sum(ops.square(query), -1)[..., None], ops.sum(ops.square(key), -1)
    products = ops.matmul(query, ops.swapaxes(key, -1, -2))
    distances = ops.maximum(squares[0] + squares[1][..., None, :] - 2.0 * products, 0.0)
    return _masked(-distances / temperature, mask)


def _masked(logarithms: Any, mask: Any) -> Any:
    return logarithms if mask is None else ops.where(mask, logarithms, NOTHING)


def potential(kernel: Kernel, normalisation: str, iterations: int) -> Any:
    """Returns what is added to the logarithms of each key before the rows are normalised.

    ```
    softmax     nothing
    double      v_j = -log sum_i K_ij        keys first, then rows
    diffusion   v_j = -log sum_k K_jk        the degrees of the points, then rows
    sinkhorn    rows and columns in turn, `iterations` times, the last time rows
    ```

    `None` for softmax.
    """
    if normalisation == "softmax" or (normalisation == "sinkhorn" and iterations == 1):
        return None
    if normalisation == "double":
        return _negative(kernel.over_queries(0.0 * kernel.query[..., 0]))
    of_keys = 0.0 * kernel.key[..., 0]
    if normalisation == "diffusion":
        return _negative(kernel.over_keys(of_keys))
    for _ in range((iterations - 1) // 2):
        of_keys = _negative(kernel.over_queries(_negative(kernel.over_keys(of_keys))))
    return of_keys


def _negative(logarithms: Any) -> Any:
    """Returns `-x`, and 0 where everything was forbidden: nothing would come of it."""
    return ops.where(logarithms > NOTHING / 2, -logarithms, 0.0)
