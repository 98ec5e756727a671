"""check_layer: is this a layer that works everywhere in Keras?"""

from collections.abc import Callable, Iterable
from typing import Any

import keras

from stepkit.testing import _layer_configs, _layer_numbers, _layer_shapes
from stepkit.testing._layer_case import LayerCase
from stepkit.testing.conformance import run_checks

CHECKS: dict[str, Callable] = {
    "arguments": _layer_configs.arguments,
    "config": _layer_configs.config,
    "serialization": _layer_configs.serialization,
    "build": _layer_shapes.build,
    "shapes": _layer_shapes.shapes,
    "batch": _layer_shapes.batch,
    "mixed_precision": _layer_shapes.mixed_precision,
    "file": _layer_configs.file,
    "gradients": _layer_numbers.gradients,
    "fit": _layer_numbers.fit,
}


def check_layer(
    layer_cls: type[keras.Layer],
    init_kwargs: dict[str, Any] | Callable[[], dict[str, Any]],
    input_shape: tuple[int, ...] | list[tuple[int, ...]],
    *,
    skip: Iterable[str] = (),
    seed: int | None = None,
    jit_modes: tuple[bool | str, ...] = (False, "auto", True),
) -> tuple[str, ...]:
    """Checks that a layer keeps Keras's contracts on the running backend; public symbols only.

    - `arguments`: constructor arguments are attributes of the same name, and building and calling
      change neither them nor the configuration.
    - `config`, `serialization`: the configuration is plain JSON and makes an equal layer.
    - `build`: building by shape creates every weight, that of sub-layers included.
    - `shapes`: the promised shape and dtype are those of the answer.
    - `batch`: an unknown batch size, one sample, several.
    - `mixed_precision`: answers in the compute dtype, keeps weights in float32.
    - `file`: a `.keras` file loads and gives the same answers.
    - `gradients`: agree with finite differences, in the input and in all weights.
    - `fit`: trains with `jit_compile` off, automatic, and on where the backend can do it soon.

    Args:
        layer_cls: subclass of `keras.Layer`, called with one tensor or several: `layer(x, y)`.
        init_kwargs: its arguments, or a function that returns them anew. Layers among them are
            copied, so that no two trials share one.
        input_shape: the shape of one batch, as in `(2, 8)`; a list of shapes for a layer of
            several tensors.
        skip: names of checks to leave out.
        seed: int, for the random inputs. Defaults to `None`: new ones each time.
        jit_modes: values of `jit_compile` for `fit`. `True` is left out on torch, whose compiler
            takes very long. Defaults to all three.

    Returns:
        The names of the checks that ran.

    Raises:
        ConformanceError: listing each check that failed, and how.

    Example:
    >>> "fit" in check_layer(keras.layers.Dense, {"units": 3}, (2, 4))
    True
    """
    case = LayerCase(layer_cls, init_kwargs, input_shape, seed, jit_modes)
    return run_checks(layer_cls.__name__, CHECKS, case, skip)
