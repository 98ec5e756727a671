"""Checks of a layer's derivatives and of its training."""

import inspect

import keras
import numpy as np
from keras import ops

from stepkit._backend import can_jit_compile, compiled, vjp
from stepkit.testing._layer_case import LayerCase
from stepkit.testing.conformance import CheckFailure, expect


def gradients(case: LayerCase) -> None:
    """Directional derivatives agree with central differences, on one of three draws.

    A difference across the kink of a ReLU is wrong, once in a while; a wrong gradient, always.
    """
    for _ in range(2):
        try:
            return _compare_gradients(case)
        except CheckFailure:
            continue
    return _compare_gradients(case)


def _compare_gradients(case: LayerCase) -> None:
    """Compares on one draw of layer, inputs and directions, argument by argument.

    In float32, the best step is about eps^(1/3) and leaves an error of about eps^(2/3) of the
    terms: the limit of 2 % of the largest possible answer leaves room for kinks.
    """
    layer, inputs = case.layer(), case.inputs()
    out_shape = tuple(layer(*inputs).shape)
    weights = layer.trainable_variables
    others = [(v, ops.convert_to_tensor(v)) for v in layer.non_trainable_variables]
    cotangent = case.rng.normal(size=out_shape).astype("float32")

    @compiled
    def loss(*values):
        x, values = values[: len(inputs)], values[len(inputs) :]
        with keras.StatelessScope(state_mapping=[*others, *zip(weights, values, strict=True)]):
            return ops.sum(ops.multiply(layer(*x, **_inference(layer)), cotangent))

    point = [*inputs, *(ops.convert_to_numpy(v) for v in weights)]
    value, pullback = vjp(loss, *map(ops.convert_to_tensor, point))
    slopes = [ops.convert_to_numpy(g) for g in pullback(ops.ones_like(value))]
    names = [f"input {i}" for i in range(len(inputs))] if len(inputs) > 1 else ["the input"]
    names += [f"weight `{v.name}`" for v in weights]
    for i, (name, slope) in enumerate(zip(names, slopes, strict=True)):
        for direction in _directions(slope, case.rng):
            expected = _difference(loss, point, i, direction)
            received = float(np.sum(slope * direction, dtype=float))
            scale = np.linalg.norm(slope) * np.linalg.norm(direction) + abs(expected)
            expect(
                abs(received - expected) <= 0.02 * scale + 1e-3,
                f"in {name}: derivative {received:.5g}, finite differences {expected:.5g}",
            )


def fit(case: LayerCase) -> None:
    """Three steps with each way to compile: finite, and every trainable weight moves."""
    for mode in case.jit_modes:
        if mode is True and not can_jit_compile():
            continue
        layer = case.layer()
        model, x = case.model(layer), case.inputs()
        target = case.rng.normal(size=tuple(layer(*x).shape)).astype("float32")
        before = [ops.convert_to_numpy(v) for v in layer.trainable_variables]
        model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=mode)
        # Some weights start where others have no slope: a scale of zeros moves in the second step.
        log = model.fit(x, target, batch_size=case.batch_size, epochs=3, verbose=0).history
        loss = log["loss"][-1]
        expect(np.isfinite(loss), f"with jit_compile={mode!r} the loss is {loss}")
        pairs = zip(layer.trainable_variables, before, strict=True)
        moved = [not np.array_equal(ops.convert_to_numpy(v), old) for v, old in pairs]
        names = [v.name for v, ok in zip(layer.trainable_variables, moved, strict=True) if not ok]
        expect(not names, f"with jit_compile={mode!r} training does not move: {names}")


def _directions(slope, rng) -> list[np.ndarray]:
    """Returns a random direction, which finds what is missing, and that of the slope itself."""
    along = slope * np.sqrt(slope.size) / (np.linalg.norm(slope) + 1e-30)
    return [d.astype("float32") for d in (rng.normal(size=slope.shape), along)]


def _difference(loss, point, index, direction) -> float:
    """Returns the central difference of the loss along a direction in one argument."""
    eps = np.finfo("float32").eps ** (1 / 3)
    values = []
    for sign in (1, -1):
        moved = [*point]
        moved[index] = (point[index] + sign * eps * direction).astype("float32")
        values.append(float(ops.convert_to_numpy(loss(*map(ops.convert_to_tensor, moved)))))
    return (values[0] - values[1]) / (2 * eps)


def _inference(layer: keras.Layer) -> dict[str, bool]:
    return {"training": False} if "training" in inspect.signature(layer.call).parameters else {}
