"""ode_net: a small image classifier whose middle is one ODE, with or without a gate."""

from typing import Any

import keras
from keras import layers

from stepkit.layers import ODEBlock
from stepkit.models._gated import gated


def ode_net(
    num_classes: int = 10,
    attention: Any = None,
    *,
    width: int = 16,
    solver: Any = "rk4",
    num_steps: int = 4,
    t_span: tuple[float, float] = (0.0, 1.0),
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classifier_activation: Any = "softmax",
    name: str = "ode_net",
) -> keras.Model:
    """Returns stem, ODE, classifier: weights of the ODE are shared by all times.

    ```
    y' = a(f(y), y) * f(y),   f(y) = conv(tanh(conv(y))),   y(t0) = tanh(conv(image))
    ```

    a is the gate, 1 without attention. In a residual network with a gate the step size differs
    from block to block, and so do the weights; here only the state differs, so that a gate read as
    a step size can be held against the steps that a solver takes along the same field.

    Args:
        num_classes: int. Defaults to `10`.
        attention: as in `cifar_resnet`. Defaults to `None`.
        width: int, channels of the state. Defaults to `16`.
        solver: as in `layers.ODEBlock`. Defaults to `"rk4"`.
        num_steps: int, likewise. Defaults to `4`.
        t_span: two floats, likewise. Defaults to `(0.0, 1.0)`.
        input_shape: shape of an image. Defaults to `(32, 32, 3)`.
        classifier_activation: as in `cifar_resnet`. Defaults to `"softmax"`.
        name: str. Defaults to `"ode_net"`.

    Returns:
        Functional `keras.Model`; the `ODEBlock` is called `"ode"`, its field a functional model
        `"field"` whose last layer is the gate, `"field_attention"`.

    Example:
    >>> model = ode_net(attention="se", width=4, input_shape=(8, 8, 1))
    >>> tuple(model(keras.ops.ones((2, 8, 8, 1))).shape)
    (2, 10)

    Reference: R. T. Q. Chen et al., *Neural Ordinary Differential Equations*, NeurIPS 2018.
    """
    inputs = keras.Input(input_shape, name="image")
    stem = layers.Conv2D(width, 3, padding="same", activation="tanh", name="stem")(inputs)
    state = keras.Input(stem.shape[1:], name="state")
    slope = layers.Conv2D(width, 3, padding="same", activation="tanh", name="field_conv1")(state)
    slope = layers.Conv2D(width, 3, padding="same", name="field_conv2")(slope)
    field = keras.Model(state, gated(slope, state, attention, "field"), name="field")
    x = ODEBlock(field, solver, num_steps, t_span, name="ode")(stem)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    dtype = keras.backend.result_type(keras.config.dtype_policy().compute_dtype, "float32")
    head = layers.Dense(num_classes, classifier_activation, name="head", dtype=dtype)
    return keras.Model(inputs, head(x), name=name)
