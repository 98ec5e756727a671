"""check_layer finds what is broken, and names it; good layers pass."""

import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from stepkit.testing import ConformanceError, check_layer

JIT = ("auto",)
register = keras.saving.register_keras_serializable(package="tests")


@register
class Scale(layers.Layer):
    """A good layer: y = factor * weight * x."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.weight = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="w")

    def call(self, x):
        return self.factor * ops.cast(self.weight, x.dtype) * x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@register
class RewritesItsArgument(Scale):
    def build(self, input_shape):
        super().build(input_shape)
        self.factor = [self.factor]  # the config differs before and after

    def call(self, x):
        return self.factor[0] * ops.cast(self.weight, x.dtype) * x


@register
class HidesItsArgument(Scale):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(factor, **kwargs)
        self._factor = self.factor
        del self.factor

    def call(self, x):
        return self._factor * ops.cast(self.weight, x.dtype) * x

    def get_config(self):
        return {**layers.Layer.get_config(self), "factor": self._factor}


@register
class ForgetsItsConfig(Scale):
    def get_config(self):
        return layers.Layer.get_config(self)


@register
class ChangesItsConfig(Scale):
    def get_config(self):
        return {**super().get_config(), "factor": self.factor + 1}


class NotRegistered(Scale):
    pass


@register
class BuildsItsChildTooLate(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.child = layers.Dense(4)

    def build(self, input_shape):
        pass

    def call(self, x):
        return self.child(x)


@register
class PromisesAnotherShape(Scale):
    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)


@register
class FixesTheBatch(Scale):
    def call(self, x):
        return super().call(ops.reshape(x, (3, -1)))


@register
class AnswersInFloat32(Scale):
    def call(self, x):
        return ops.cast(super().call(x), "float32")


@register
class KeepsHalfWeights(Scale):
    def build(self, input_shape):
        self.weight = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", dtype=self.compute_dtype
        )


@register
class HidesItsWeightFromTheFile(Scale):
    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


@register
class StopsTheGradient(Scale):
    def call(self, x):
        return super().call(ops.stop_gradient(x))


@register
class HalvesTheGradientOfItsWeight(Scale):
    def call(self, x):
        w = ops.cast(self.weight, x.dtype)
        return self.factor * x * (0.5 * w + 0.5 * ops.stop_gradient(w))


@register
class DoesNotTrain(Scale):
    def call(self, x):
        return self.factor * ops.stop_gradient(ops.cast(self.weight, x.dtype)) * x


@register
class NanInTraining(Scale):
    def call(self, x, training=False):
        return super().call(x) * (float("nan") if training else 1.0)


def test_a_good_layer_passes_all_checks():
    ran = check_layer(Scale, {"factor": 3.0}, (3, 4), seed=0)
    assert set(ran) == {
        "arguments",
        "config",
        "serialization",
        "build",
        "shapes",
        "batch",
        "mixed_precision",
        "file",
        "gradients",
        "fit",
    }


@pytest.mark.parametrize(
    ("layer_cls", "check", "message"),
    [
        (RewritesItsArgument, "arguments", "`factor`"),
        (HidesItsArgument, "arguments", "attribute of that name"),
        (ForgetsItsConfig, "config", r"missing: \['factor'\]"),
        (ChangesItsConfig, "config", "factor"),
        (ChangesItsConfig, "serialization", "factor"),
        (NotRegistered, "serialization", "NotRegistered"),
        (PromisesAnotherShape, "shapes", "promised shape"),
        (FixesTheBatch, "batch", "."),
        (AnswersInFloat32, "mixed_precision", "float32"),
        (KeepsHalfWeights, "mixed_precision", "weights must stay in float32"),
        (HidesItsWeightFromTheFile, "file", "answers differently"),
        (StopsTheGradient, "gradients", "the input"),
        (HalvesTheGradientOfItsWeight, "gradients", "weight"),
        (DoesNotTrain, "gradients", "weight"),
        (DoesNotTrain, "fit", "does not move|[Gg]radients?|grad_fn"),
        (NanInTraining, "fit", "loss is nan"),
    ],
)
def test_each_check_finds_its_broken_layer(layer_cls, check, message):
    every = {"arguments", "config", "serialization", "build", "shapes", "batch"}
    every |= {"mixed_precision", "file", "gradients", "fit"}
    with pytest.raises(ConformanceError, match=layer_cls.__name__) as caught:
        check_layer(layer_cls, {"factor": 2.0}, (3, 4), skip=every - {check}, jit_modes=JIT)
    assert set(caught.value.failures) == {check}
    assert re.search(message, caught.value.failures[check])


def test_a_child_that_is_built_too_late_is_found():
    with pytest.raises(ConformanceError) as caught:
        check_layer(BuildsItsChildTooLate, {}, (3, 4), skip=("file", "fit", "gradients"))
    assert "`build` made 0 weights" in caught.value.failures["build"]


def test_all_failures_are_told_at_once():
    with pytest.raises(ConformanceError, match=r"2 check\(s\)"):
        check_layer(ChangesItsConfig, {}, (3, 4), skip=("fit", "file", "gradients"))


def test_layers_among_the_arguments_are_copied():
    inner = layers.Dense(4)
    check_layer(layers.TimeDistributed, {"layer": inner}, (2, 3, 4), skip=("fit",), seed=1)
    assert not inner.built


def test_wrong_use():
    with pytest.raises(ValueError, match=r"`skip` must name some of .*\['fits'\]"):
        check_layer(Scale, {}, (3, 4), skip=("fits",))
    with pytest.raises(ValueError, match="`input_shape`"):
        check_layer(Scale, {}, (None, 4))


def test_the_seed_fixes_the_inputs():
    seen = []

    @register
    class Spy(Scale):
        def call(self, x):
            if not isinstance(x, keras.KerasTensor):
                seen.append(np.asarray(ops.convert_to_numpy(x)).copy())
            return super().call(x)

    for _ in range(2):
        only = ("config", "serialization", "build", "batch", "mixed_precision", "file")
        check_layer(Spy, {}, (3, 4), seed=5, skip=(*only, "gradients", "fit", "arguments"))
    np.testing.assert_array_equal(seen[0], seen[1])
