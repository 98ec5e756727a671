"""Checks of a layer's configuration and of its files."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit.testing._layer_case import LayerCase
from stepkit.testing.conformance import expect

BUILD_KEYS = ("build_config", "build_input_shape", "shared_object_id")  # Keras's own, per object


def arguments(case: LayerCase) -> None:
    """Constructor arguments are attributes that nothing rewrites."""
    given = case.kwargs()
    layer = case.layer_cls(**given)
    # A sub-layer's own config may change: Sequential adds its input once that is known.
    children = [name for name, value in given.items() if isinstance(value, keras.Layer)]
    before = _plain(layer.get_config(), without=children)
    layer(*case.inputs())
    for name, value in given.items():
        if name in ("name", "dtype", "trainable", "activity_regularizer"):
            continue
        expect(
            hasattr(layer, name), f"argument `{name}` must be stored as an attribute of that name"
        )
        kept = getattr(layer, name)
        # a name such as "relu" may be resolved; what was given as an object must be that object
        same = isinstance(value, str) or kept is value or _equal(kept, value)
        expect(same, f"attribute `{name}` must stay what was given: {value!r}. Received: {kept!r}")
    after = _plain(layer.get_config(), without=children)
    expect(before == after, f"building must not change the config: {_difference(before, after)}")


def config(case: LayerCase) -> None:
    """`from_config(get_config())` makes a layer of the same configuration."""
    layer = case.layer()
    config = layer.get_config()
    missing = sorted(set(case.kwargs()) - set(config))
    expect(not missing, f"`get_config` must hold every constructor argument; missing: {missing}")
    before = _plain(config)
    again = _plain(case.layer_cls.from_config(config).get_config())
    expect(before == again, f"round trip changed the config: {_difference(before, again)}")


def serialization(case: LayerCase) -> None:
    """The serialised layer is JSON and makes a layer of the same class and configuration."""
    layer = case.layer()
    text = json.dumps(keras.saving.serialize_keras_object(layer))
    again = keras.saving.deserialize_keras_object(json.loads(text))
    expect(type(again) is case.layer_cls, f"deserialised as {type(again).__name__}")
    before, after = _plain(layer.get_config()), _plain(again.get_config())
    expect(before == after, f"round trip changed the config: {_difference(before, after)}")


def file(case: LayerCase) -> None:
    """A `.keras` file loads, with all weights and the same answers."""
    model, x = case.model(case.layer()), case.inputs()
    # Off their initial values, so that a weight that is not saved cannot look right by chance.
    for weight in model.weights:
        if weight.dtype.startswith(("float", "bfloat")):
            noise = case.rng.uniform(0.1, 0.5, size=tuple(weight.shape))
            weight.assign(weight + noise.astype("float32"))
    expected = ops.convert_to_numpy(model(x))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
    expect(
        len(loaded.weights) == len(model.weights),
        f"expected {len(model.weights)} weights after loading, received {len(loaded.weights)}",
    )
    error = np.max(np.abs(ops.convert_to_numpy(loaded(x)) - expected), initial=0.0)
    limit = 1e-5 * (1 + np.max(np.abs(expected), initial=0.0))
    expect(error <= limit, f"the loaded model answers differently: by up to {error:.2g}")


def _plain(config: dict[str, Any], without: Sequence[str] = ()) -> Any:
    """Returns the configuration as JSON would give it back, without what building adds to it."""
    config = {k: v for k, v in config.items() if k not in without}
    return _without_build(json.loads(json.dumps(keras.saving.serialize_keras_object(config))))


def _without_build(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_build(v) for k, v in value.items() if k not in BUILD_KEYS}
    return [_without_build(v) for v in value] if isinstance(value, list) else value


def _difference(before: dict, after: dict) -> str:
    before, after = before.get("config", before), after.get("config", after)
    keys = [k for k in sorted({*before, *after}) if before.get(k) != after.get(k)]
    return "; ".join(f"`{k}`: {before.get(k)!r:.99} became {after.get(k)!r:.99}" for k in keys)


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(np.all(a == b))
    except Exception:  # objects that cannot be compared are told apart by identity
        return False
