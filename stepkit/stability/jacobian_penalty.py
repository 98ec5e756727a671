"""JacobianPenalty: a layer that learns not to stretch its input."""

from typing import Any

import keras
from keras import ops

from stepkit._backend import vjp
from stepkit._registry import serializable
from stepkit.layers import _child


@serializable
class JacobianPenalty(keras.Layer):
    """Wraps a layer and adds the size of its Jacobian to the loss.

    ```
    y    = layer(x)
    loss = strength * mean over the batch of |J^T u|^2        E |J^T u|^2 = |J|_F^2
    ```

    J is the Jacobian of the layer at a sample, u a vector of random signs, drawn anew for each
    sample and call: one product, not the matrix. Its mean is the squared Frobenius norm, the sum of
    the squared singular values; so `strength * |J|_F^2` per sample is what is penalised. Wrapped
    around the branch of a residual block, as in `ResidualStep(JacobianPenalty(layer))`, it draws
    the eigenvalues of the step to 0.

    The loss is added in training only. J is that of the layer at inference: dropout is off, and
    batch normalisation uses its moving averages, so that samples do not depend on each other.
    A training step costs about two more passes through the layer.

    Args:
        layer: `keras.Layer` of one tensor, differentiable twice; on torch its fused attention is
            not.
        strength: float >= 0. Defaults to `0.01`.
        seed: int or `None`, for the vectors. Defaults to `None`: new ones each time.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: tensor `(batch, ...)`.
        training: bool, whether to add the loss; passed on to `layer` where it takes it.
        mask: mask of `inputs`, passed on likewise; the output keeps the mask.

    Output shape:
        That of `layer`.

    Raises:
        TypeError: where `layer` is not a layer.
        ValueError: where `strength` is not a number >= 0.

    Example: J = 3 I in two dimensions.
    >>> layer = JacobianPenalty(keras.layers.Rescaling(3.0), strength=0.5)
    >>> y = layer(keras.ops.ones((4, 2)), training=True)
    >>> float(layer.losses[0])
    9.0

    Reference: J. Hoffman, D. Roberts, S. Yaida, *Robust Learning with Jacobian Regularization*,
    arXiv:1908.02729 (2019); C. Finlay et al., *How to train your neural ODE*, ICML 2020.
    """

    def __init__(
        self,
        layer: keras.Layer,
        strength: float = 0.01,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _child.check_layer("layer", layer)
        number = isinstance(strength, (int, float)) and not isinstance(strength, bool)
        if not number or not 0 <= strength < float("inf"):
            raise ValueError(f"`strength` must be a number >= 0. Received: strength={strength!r}")
        self.layer, self.strength, self.seed = layer, strength, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        """Builds the layer."""
        _child.build(self.layer, input_shape, dtype=self.compute_dtype)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Returns `layer(inputs)`; in training, adds the penalty to the losses."""
        outputs = self.layer(inputs, **_child.context(self.layer, training, mask))
        if training:
            self.add_loss(self.strength * self.penalty(inputs, mask))
        return ops.cast(outputs, self.compute_dtype)

    def penalty(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the mean over the batch of |J^T u|^2, a scalar, for a new draw of u.

        Args:
            inputs: tensor `(batch, ...)`.
            mask: mask of `inputs`, passed on.
        """
        inputs = ops.cast(inputs, self.compute_dtype)
        # In reverse mode: with XLA, TensorFlow compiles forward mode anew in every training step.
        outputs, pullback = vjp(self._at_inference(mask), inputs)
        draw = keras.random.uniform(ops.shape(outputs), dtype="float32", seed=self.seed_generator)
        product = pullback(ops.where(draw < 0.5, -1.0, 1.0))[0]
        if "float16" in keras.backend.standardize_dtype(product.dtype):
            product = ops.cast(product, "float32")  # a sum of squares
        return ops.sum(product * product) / ops.cast(ops.shape(inputs)[0], product.dtype)

    def _at_inference(self, mask):
        """Returns the layer as a function of its input alone, that changes no state."""
        # By value: within the stateless scope of a training step on JAX, an inner scope would hide
        # the weights that the step differentiates.
        values = [(variable, ops.convert_to_tensor(variable)) for variable in self.layer.variables]

        def function(x):
            with keras.StatelessScope(state_mapping=values):
                return self.layer(x, **_child.context(self.layer, False, mask))

        return function

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the output shape of the layer."""
        return _child.output_shape(self.layer, input_shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, the layer serialised."""
        return {
            **super().get_config(),
            "layer": keras.saving.serialize_keras_object(self.layer),
            "strength": float(self.strength),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "JacobianPenalty":
        """Returns the layer that `get_config` described."""
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})
