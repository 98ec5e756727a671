"""LayerField: a Keras layer as the field of an ODE, with the state that it updates."""

import inspect
from typing import Any

import keras
from keras import ops

from stepkit.layers import _child
from stepkit.ode import _state
from stepkit.ode._field import Field


class LayerField(Field):
    """Calls `layer(y)`, or `layer(t, y)` where the first argument of its `call` is named `t`.

    What the layer updates (moving averages, the seeds of dropout) cannot be assigned inside a
    compiled loop: JAX would leak a tracer into the layer. So its updates are values in `memory`,
    which the loop carries from call to call; `store_memory` assigns them afterwards.

    Args:
        layer: `keras.Layer`, built.
        y: tensor, the initial state.
        context: dict, `training` and `mask` for the layer.
    """

    def __init__(self, layer: keras.Layer, y: Any, context: dict[str, Any]) -> None:
        super().__init__(self._call, dtypes=_state.dtypes_of(y))
        self.layer, self.context = layer, context
        self.time_dependent = self.wants_time(layer)
        self.updated = layer.non_trainable_variables
        self.memory = tuple(ops.convert_to_tensor(v) for v in self.updated)
        self.fixed = [(v, v.value) for v in layer.trainable_variables] if self.updated else []

    @staticmethod
    def wants_time(layer: keras.Layer) -> bool:
        """Whether the first argument of the layer's `call` is named `t`."""
        return next(iter(inspect.signature(layer.call).parameters), None) == "t"

    def store_memory(self) -> None:
        """Assigns what the layer updated."""
        for variable, value in zip(self.updated, self.memory, strict=True):
            variable.assign(value)

    def _call(self, t: Any, y: Any) -> Any:
        arguments = (t, y) if self.time_dependent else (y,)
        if not self.updated:
            return self._checked(self.layer(*arguments, **self.context), y)
        mapping = [*self.fixed, *zip(self.updated, self.memory, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            slope = self.layer(*arguments, **self.context)
        self.memory = tuple(ops.stop_gradient(scope.get_current_value(v)) for v in self.updated)
        return self._checked(slope, y)

    def _checked(self, slope: Any, y: Any) -> Any:
        _child.check_output_shape("ODEBlock", "field", tuple(y.shape), tuple(slope.shape))
        return slope
