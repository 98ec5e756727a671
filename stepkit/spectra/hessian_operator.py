"""hessian_operator: products with the Hessian of a loss in a model's weights."""

from collections.abc import Callable
from math import prod
from typing import Any

import keras
from keras import ops, tree

from stepkit._backend import compiled, hvp
from stepkit.spectra._vectors import Frame


class HessianOperator:
    """The Hessian H of a loss in the trainable weights of a model, as the map v -> H v.

    Made by `hessian_operator`, which see.

    Attributes:
        like: list of tensors, the weights at which the Hessian is taken; vectors are lists like it.
        size: int, the number of trainable weights.

    Example: a loss (2 w - 0)^2 of one weight.
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    >>> data = np.array([[2.0]]), np.array([[0.0]])
    >>> operator = stepkit.spectra.hessian_operator(model, "mse", data)
    >>> [keras.ops.convert_to_numpy(part).tolist() for part in operator([np.ones((1, 1))])]
    [[[8.0]]]
    """

    def __init__(self, function: Callable, weights: list, constants: Any) -> None:
        self.like, self._constants = weights, constants
        self._frame = Frame(weights)
        self._product = compiled(
            lambda weights, constants, v: hvp(lambda w: function(w, constants), weights, v)
        )

    @property
    def size(self) -> int:
        """The number of trainable weights."""
        return self._frame.size

    def __call__(self, v: Any) -> list:
        """Returns H v, for v a list shaped as the trainable weights."""
        v = tree.map_structure(ops.convert_to_tensor, list(v))
        v = self._frame.unflatten(self._frame.flatten(v, "`v`"))
        return self._product(self.like, self._constants, v)

    matvec = __call__

    def __repr__(self) -> str:
        return f"HessianOperator(size={self.size})"


def hessian_operator(
    model: keras.Model, loss: Any, data: tuple[Any, Any], *, add_losses: bool = False
) -> HessianOperator:
    """Returns the Hessian of a loss in a model's trainable weights, as the map v -> H v.

    H is symmetric, n by n with n weights, and is never formed: a product is forward mode over
    reverse mode, of a few times the cost of a gradient. The model is called with `training=False`
    and its weights as they are at this moment, and is not changed. Where it is piecewise linear
    (ReLU), H is that of the piece. No gradient flows through the products into the weights.

    Vectors are lists shaped as `model.trainable_weights`; `ravel` and `unravel` turn them into one
    array and back. `power_iteration`, `lanczos`, `spectral_density` and `hutchinson_trace` take the
    operator as it is and need no starting vector.

    Args:
        model: built `keras.Model`.
        loss: what `keras.losses.get` takes: a name, a `keras.losses.Loss`, or a callable
            `(y_true, y_pred)`. An answer with more than one number is averaged.
        data: tuple `(x, y)`, one batch; the loss is the mean over it.
        add_losses: bool, whether the model's own losses, such as those of its regularisers, are
            part of the loss. Defaults to `False`.

    Returns:
        `HessianOperator`, with `.like` and `.size`.

    Raises:
        TypeError: where `model` is no Keras model.
        ValueError: where it is not built or has no trainable weight, or `data` is no pair.

    Example:
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    >>> operator = hessian_operator(model, "mse", (np.eye(2), np.zeros((2, 1))))
    >>> pair = stepkit.spectra.power_iteration(operator, num_steps=5)
    >>> round(float(pair.eigenvalue), 5)  # the mean of (w_1)^2 and (w_2)^2
    1.0

    Reference: B. Pearlmutter, *Fast Exact Multiplication by the Hessian*, Neural Computation 6
    (1994) 147-160.
    """
    _check(model, data)
    loss = keras.losses.get(loss)
    x, y = (tree.map_structure(ops.convert_to_tensor, part) for part in data)
    state = [ops.copy(v) for v in model.non_trainable_variables]

    def function(weights, constants):
        state, x, y = constants
        answer = model.stateless_call(weights, state, x, training=False, return_losses=add_losses)
        value = loss(y, answer[0])
        value = ops.sum(value) / prod(value.shape)  # ops.mean rounds float64 to float32
        return value + sum(answer[2], 0.0) if add_losses else value

    weights = [ops.stop_gradient(ops.copy(v)) for v in model.trainable_variables]
    return HessianOperator(function, weights, (state, x, y))


def _check(model, data):
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: model={model!r}")
    if not model.built or not model.trainable_variables:
        raise ValueError(
            "`model` must be built and have trainable weights: call it once, or give it an Input. "
            f"Received: model={model.name}, built={model.built}"
        )
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise ValueError(f"`data` must be a pair (x, y). Received: {type(data).__name__}")
