"""StyleIntegration: a few statistics of each channel become one normalised number."""

from typing import Any

import keras
from keras import ops

EPSILON = 1e-5  # of the reference: under the root of the deviation, and in the normalisation


class StyleIntegration(keras.Layer):
    """`z = BN(sum_k w_ck t_ck)`: statistics t `(batch, C, k)` to `(batch, C)`; w starts at 0.

    Batch normalisation as in PyTorch: epsilon 1e-5, momentum 0.1, which is Keras's 0.9.
    """

    def build(self, input_shape: tuple) -> None:
        """Creates the weights and the normalisation."""
        self.kernel = self.add_weight(shape=input_shape[1:], initializer="zeros", name="kernel")
        self.norm = keras.layers.BatchNormalization(
            momentum=0.9, epsilon=EPSILON, dtype=self.dtype_policy, name="norm"
        )
        self.norm.build(input_shape[:2])

    def call(self, statistics: Any) -> Any:
        """Returns one number for each sample and channel."""
        return self.norm(ops.sum(statistics * self.kernel, axis=-1))
