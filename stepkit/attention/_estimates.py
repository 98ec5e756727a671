"""The three readings of StepNet: layers from branch and state to one gate per channel."""

from typing import Any

import keras
from keras import ops

from stepkit.attention import _linear
from stepkit.attention._pooling import Pooling
from stepkit.attention._style import EPSILON, StyleIntegration

INDEX_EPSILON = 1e-3  # channels that are dead after a relu must not have an infinite index


class _Estimate(keras.Layer):
    """Built on construction: the shapes of what it sees say nothing about its weights."""

    def __init__(self, channels: int, reduction: float, dtype: str) -> None:
        super().__init__(dtype=dtype, autocast=False, name="estimate")
        self.create(channels, reduction)
        self.built = True

    def create(self, channels: int, reduction: float) -> None:
        raise NotImplementedError

    def call(self, branch: Any, shortcut: Any, pooling: Pooling) -> Any:
        raise NotImplementedError


class PairEstimate(_Estimate):
    """Squeeze and excitation of the means of state and predictor."""

    def create(self, channels, reduction):
        hidden = _linear.hidden_units(channels, reduction)
        self.squeeze, self.excite = _linear.squeeze_and_excite(
            2 * channels, hidden, channels, self.dtype_policy
        )

    def call(self, branch, shortcut, pooling):
        # The mean of the sum is the sum of the means: the predictor is never formed.
        state, slope = pooling.mean(shortcut), pooling.mean(branch)
        seen = ops.concatenate([state, state + slope], axis=-1)
        return ops.sigmoid(self.excite(self.squeeze(seen)))


class StatisticsEstimate(_Estimate):
    """Means and deviations of state and predictor, weighted channel by channel."""

    def create(self, channels, reduction):
        self.integration = StyleIntegration(dtype=self.dtype_policy, name="integration")
        self.integration.build((None, channels, 4))

    def call(self, branch, shortcut, pooling):
        state = ops.cast(shortcut, pooling.dtype)
        predictor = state + ops.cast(branch, pooling.dtype)
        seen = (pooling.mean_and_deviation(x, EPSILON) for x in (state, predictor))
        return ops.sigmoid(self.integration(ops.stack([s for two in seen for s in two], axis=-1)))


class IndexEstimate(_Estimate):
    """The raw stiffness index of each channel, against that of the others."""

    def create(self, channels, reduction):
        self.kernel = self.add_weight(shape=(channels,), initializer="zeros", name="kernel")
        self.bias = self.add_weight(shape=(channels,), initializer="zeros", name="bias")

    def call(self, branch, shortcut, pooling):
        index = _norm(pooling, branch) / (_norm(pooling, shortcut) + INDEX_EPSILON)
        z = ops.log(index + INDEX_EPSILON)
        z = z - ops.mean(z, axis=-1, keepdims=True)
        z = z / ops.sqrt(ops.mean(ops.square(z), axis=-1, keepdims=True) + EPSILON)
        return ops.sigmoid(self.kernel * z + self.bias)


def _norm(pooling, x):
    # The root has no slope at 0, where a relu may put a whole map.
    return ops.sqrt(pooling.sum_of_squares(x) + 1e-12)


ESTIMATES = {"pair": PairEstimate, "statistics": StatisticsEstimate, "index": IndexEstimate}
