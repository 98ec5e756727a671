"""ODEBlock: many steps of one ODE whose field is a sub-layer."""

from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit import ode
from stepkit._registry import serializable
from stepkit.layers import _child
from stepkit.layers._layer_field import LayerField
from stepkit.ode._grid import TimeGrid
from stepkit.ode.integrate import integrate, trajectory


@serializable
class ODEBlock(keras.Layer):
    """The state at the end of `t_span` of y' = field(y), y(t0) = inputs.

    The field is one sub-layer, so its weights are shared by all steps: `num_steps` changes depth
    and accuracy, not the number of weights. A field whose `call` has a first argument named `t`
    gets `field(t, y)` with a scalar `t`; any other gets `field(y)` (autonomous).

    Steps are summed in float32 under a half-precision policy. Gradients flow through the steps.
    Losses that the field adds in its call (activity regularisers) are not collected.

    Args:
        field: `keras.Layer` that keeps the shape of the state.
        solver: what `ode.get` takes. The samples of a batch are independent, so an implicit one
            is used with `batch_axes=1`, if it says nothing else. Defaults to `"rk4"`.
        num_steps: int >= 1, equal steps. Defaults to `4`.
        t_span: `(t0, t1)`, two different floats. Defaults to `(0.0, 1.0)`.
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Call arguments:
        inputs: tensor `(batch, ...)`, the initial state.
        training: bool, passed on to `field` where it takes it.
        mask: mask of `inputs`, passed on likewise; the output keeps the mask.

    Output shape:
        That of the input.

    Raises:
        TypeError: where `field` is not a layer.
        ValueError: for an unusable `num_steps` or `t_span`, or a field that does not keep the
            shape.

    Example: y' = y, so that one step of Euler's method doubles the state.
    >>> block = ODEBlock(keras.layers.Identity(), solver="euler", num_steps=1)
    >>> keras.ops.convert_to_numpy(block(keras.ops.ones((1, 2)))).tolist()
    [[2.0, 2.0]]
    >>> finer = block.with_solver("rk4", num_steps=10)
    >>> round(float(finer(keras.ops.ones((1, 2)))[0, 0]), 3)
    2.718

    Reference: R. T. Q. Chen et al., *Neural Ordinary Differential Equations*, NeurIPS 2018.
    """

    def __init__(
        self,
        field: keras.Layer,
        solver: Any = "rk4",
        num_steps: int = 4,
        t_span: tuple[float, float] = (0.0, 1.0),
        **kwargs: Any,
    ) -> None:
        # Variables must not be read in half precision: the field's state travels through the loop.
        super().__init__(autocast=False, **kwargs)
        _child.check_layer("field", field)
        self.field, self.solver, self.num_steps, self.t_span = field, solver, num_steps, t_span
        self._solver = _for_samples(ode.get(solver))
        self._grid = TimeGrid.make(self._times(), None)
        self.supports_masking = True

    def _times(self) -> np.ndarray:
        n, span = self.num_steps, self.t_span
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"`num_steps` must be an integer >= 1. Received: num_steps={n!r}")
        if not (isinstance(span, (tuple, list)) and len(span) == 2 and span[0] != span[1]):
            raise ValueError(f"`t_span` must be two different times. Received: t_span={span!r}")
        return np.linspace(*map(float, span), n + 1)

    @property
    def time_dependent(self) -> bool:
        """Whether the field is called `field(t, y)`."""
        return LayerField.wants_time(self.field)

    def build(self, input_shape: tuple) -> None:
        """Builds the field."""
        shapes = ((), input_shape) if self.time_dependent else (input_shape,)
        _child.build(self.field, *shapes, dtype=self.compute_dtype)
        output_shape = _child.output_shape(self.field, *shapes, dtype=self.compute_dtype)
        _child.check_output_shape(self.name, "field", input_shape, output_shape)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Returns the state at the end of `t_span`."""
        y0 = ops.cast(inputs, self.compute_dtype)
        field = LayerField(self.field, y0, _child.context(self.field, training, mask))
        last = integrate(field, y0, self._grid, self._solver)
        field.store_memory()
        return ops.cast(last, self.compute_dtype)

    def trajectory(self, inputs: Any) -> ode.Solution:
        """Returns the states at all `num_steps + 1` times, at inference, as an `ode.Solution`.

        Args:
            inputs: array or tensor `(batch, ...)`, the initial states.
        """
        y0 = ops.cast(ops.convert_to_tensor(inputs), self.compute_dtype)
        if not self.built:
            self.build(tuple(y0.shape))
        field = LayerField(self.field, y0, _child.context(self.field, False, None))
        return trajectory(field, y0, self._grid, self._solver)

    def with_solver(
        self,
        solver: Any = None,
        num_steps: int | None = None,
        t_span: tuple[float, float] | None = None,
    ) -> "ODEBlock":
        """Returns a new block around the same field, hence with the same weights: the solver swap.

        Args:
            solver: as in the constructor. Defaults to that of this block.
            num_steps: as in the constructor. Defaults to that of this block.
            t_span: as in the constructor. Defaults to that of this block.
        """
        block = type(self)(
            self.field,
            self.solver if solver is None else solver,
            self.num_steps if num_steps is None else num_steps,
            self.t_span if t_span is None else t_span,
            dtype=self.dtype_policy,
        )
        block.trainable = self.trainable
        return block

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the input shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, field and solver serialised."""
        return {
            **super().get_config(),
            "field": keras.saving.serialize_keras_object(self.field),
            "solver": ode.serialize(self.solver),
            "num_steps": int(self.num_steps),
            "t_span": [float(t) for t in self.t_span],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ODEBlock":
        """Returns the layer that `get_config` described."""
        field = keras.saving.deserialize_keras_object(config["field"])
        solver, t_span = ode.deserialize(config["solver"]), tuple(config["t_span"])
        return cls(**{**config, "field": field, "solver": solver, "t_span": t_span})


def _for_samples(solver: Any) -> Any:
    """Returns an implicit solver with a system of equations for each sample; others as they are."""
    if getattr(solver, "batch_axes", None) != 0:
        return solver
    return type(solver).from_config({**solver.get_config(), "batch_axes": 1})
