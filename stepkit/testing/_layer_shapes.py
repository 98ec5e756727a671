"""Checks of a layer's shapes and dtypes."""

from typing import Any

import keras

from stepkit.testing._layer_case import LayerCase
from stepkit.testing.conformance import expect


def build(case: LayerCase) -> None:
    """`build(shape)` creates every weight that a call needs."""
    layer = case.layer()
    layer.build(*((None, *shape[1:]) for shape in case.shapes))
    expect(layer.built, "`build` must leave the layer built; does it call `super().build`?")
    before = len(layer.weights)
    layer(*case.inputs())
    expect(
        len(layer.weights) == before,
        f"`build` made {before} weights, the first call made it {len(layer.weights)}: "
        "`build` must build the sub-layers too",
    )


def shapes(case: LayerCase) -> None:
    """`compute_output_shape`, the symbolic call and the real one agree."""
    _agree(case, case.layer())


def batch(case: LayerCase) -> None:
    """An unknown batch size, one sample, and several."""
    layer = case.layer()
    symbolic = layer(*(keras.KerasTensor((None, *shape[1:])) for shape in case.shapes))
    expect(
        symbolic.shape[:1] == (None,),
        f"an unknown batch size must stay unknown. Received: output shape {symbolic.shape}",
    )
    model = case.model(layer)
    for size in (1, case.batch_size + 1):
        shape = tuple(model(case.inputs(size)).shape)
        expected = (size, *symbolic.shape[1:])
        expect(
            len(shape) == len(expected)
            and all(b in (None, a) for a, b in zip(shape, expected, strict=True)),
            f"for {size} sample(s) expected shape {expected}, received {shape}",
        )


def mixed_precision(case: LayerCase) -> None:
    """Half precision in and out, weights in float32, in both half formats."""
    for policy in ("mixed_bfloat16", "mixed_float16"):
        layer = case.layer(dtype=policy)
        y = _agree(case, layer)
        dtype = keras.backend.standardize_dtype(y.dtype)
        expect(
            dtype == layer.compute_dtype,
            f"with {policy} expected an answer in {layer.compute_dtype}, received {dtype}",
        )
        wrong = [v.name for v in layer.trainable_variables if v.dtype != "float32"]
        expect(not wrong, f"with {policy} weights must stay in float32; not so: {wrong}")


def _agree(case: LayerCase, layer: keras.Layer) -> Any:
    """Returns the answer to a real batch, after comparing it with what was promised."""
    promised = layer(*(keras.KerasTensor(s, dtype=layer.compute_dtype) for s in case.shapes))
    y = layer(*(keras.ops.cast(x, layer.compute_dtype) for x in case.inputs()))
    received = (tuple(y.shape), keras.backend.standardize_dtype(y.dtype))
    expected = (tuple(promised.shape), keras.backend.standardize_dtype(promised.dtype))
    expect(
        received == expected,
        f"the symbolic call promised shape and dtype {expected}, the real one gave {received}",
    )
    told = tuple(layer.compute_output_shape(*case.shapes))
    expect(told == received[0], f"`compute_output_shape` told {told}, the call gave {received[0]}")
    return y
