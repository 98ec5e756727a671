"""jacobian_operator: products with the Jacobian of a layer or function, and with its transpose."""

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops, tree

from stepkit._backend import compiled, jvp, vjp
from stepkit.spectra._vectors import as_vector


class JacobianOperator:
    """The Jacobian J of a layer or function at a point, as the map v -> J v.

    Made by `jacobian_operator`, which see.

    Attributes:
        like: the point x; its structure, shapes and dtypes are those of the vectors v.
        output: the value at x; its structure and shapes are those of J v.
        input_shape: shape of x, batch first; a structure of shapes where x is one.
        output_shape: shape of the output, likewise.

    Example:
    >>> operator = stepkit.spectra.jacobian_operator(lambda x: x**2, np.array([1.0, 3.0]))
    >>> keras.ops.convert_to_numpy(operator(np.ones(2))).tolist()
    [2.0, 6.0]
    """

    def __init__(self, pure: Callable, read: Callable, trace: Callable, x: Any) -> None:
        self._pure, self._read, self._trace = pure, read, trace
        self._programs: dict[Any, Callable] = {}
        self._move(x)

    def _move(self, x):
        self.values, self.like = self._read(), x
        self.output = self._pure(self.values, x)
        self.input_shape = tree.map_structure(_shape, x)
        self.output_shape = tree.map_structure(_shape, self.output)

    def run(self, key: Any, algorithm: Callable, *arguments: Any) -> Any:
        """Returns `algorithm(f, x, *arguments)`, a program traced once per key.

        Args:
            key: hashable, by which the program is found again; it must tell apart all that the
                algorithm does not get as an argument.
            algorithm: callable of the function f, the point x and further tensors.
            *arguments: those tensors.
        """
        if key not in self._programs:
            self._programs[key] = self._trace(
                lambda values, x, *rest: algorithm(partial(self._pure, values), x, *rest)
            )
        return self._programs[key](self.values, self.like, *arguments)

    def __call__(self, v: Any) -> Any:
        """Returns J v, for v shaped as x."""
        return self.run("jvp", _product, _matched(v, self.like, "v"))

    matvec = __call__

    def rmatvec(self, u: Any) -> Any:
        """Returns J^T u, for u shaped as the output."""
        return self.run("vjp", _transposed_product, _matched(u, self.output, "u"))

    def gram(self, v: Any) -> Any:
        """Returns J^T J v: symmetric, so that `power_iteration` and `lanczos` apply.

        The square roots of its eigenvalues are the singular values of J.
        """
        return self.run("gram", gram, _matched(v, self.like, "v"))

    def at(self, x: Any) -> "JacobianOperator":
        """Returns the operator at another point and with the weights as they are now.

        It shares the compiled products with this one, so that a second point of the same shape
        costs no second trace. What else was set on the layer since is not seen.
        """
        other = copy.copy(self)
        other._move(_as_point(x, tree.map_structure(lambda leaf: leaf.dtype, self.like)))
        return other

    def __repr__(self) -> str:
        return f"JacobianOperator({self.input_shape} -> {self.output_shape})"


def jacobian_operator(layer: Callable[[Any], Any], x: Any) -> JacobianOperator:
    """Returns the Jacobian of a layer or function at x, as the map v -> J v; no matrix is formed.

    J is that of the whole batch: with x of shape `(batch, ...)`, v and J v have a batch axis, too.
    Where no sample's output depends on another sample, J is block-diagonal and acts on all samples
    at once; `per_sample=True` in `power_iteration`, `lanczos`, `arnoldi`, `hutchinson_trace` and
    `operator_norm` then gives one answer per sample at the price of one.

    A layer is called with `training=False` (where it takes it), with the weights as they are at
    this moment, without changing its state; its products are compiled, in forward mode for J v and
    in reverse mode for J^T u. A function is called as it is and is not compiled: one that changes
    state (batch normalisation with `training=True`) is not allowed in it. Gradients of the products
    in the weights flow, so that they may be part of a loss.

    Args:
        layer: `keras.Layer` or model, or callable of one structure of tensors. It must be
            differentiable in x; a layer that is not built is built.
        x: the point: array, tensor or structure of them, batch first for layers. For a layer it is
            cast to the dtype of the layer's variables.

    Returns:
        `JacobianOperator`, with `.rmatvec(u)` (J^T u), `.gram(v)` (J^T J v), `.at(x)`,
        `.input_shape` and `.output_shape`.

    Raises:
        TypeError: where `layer` is not callable.
        ValueError: where a vector has another shape than x.

    Example:
    >>> layer = keras.layers.Dense(3, kernel_initializer="ones")
    >>> operator = jacobian_operator(layer, np.zeros((1, 2)))
    >>> keras.ops.convert_to_numpy(operator(np.array([[1.0, 2.0]]))).tolist()
    [[3.0, 3.0, 3.0]]
    >>> keras.ops.convert_to_numpy(operator.rmatvec(np.ones((1, 3)))).tolist()
    [[3.0, 3.0]]

    Reference: B. Pearlmutter, *Fast Exact Multiplication by the Hessian*, Neural Computation 6
    (1994) 147-160, for products without the matrix.
    """
    if not callable(layer):
        raise TypeError(f"`layer` must be a layer or a callable. Received: layer={layer!r}")
    if not isinstance(layer, keras.Layer):
        return JacobianOperator(
            lambda values, x: layer(x), list, lambda program: program, _as_point(x)
        )
    x = _as_point(x, layer.variable_dtype)
    if not layer.built:
        layer(x)
    return JacobianOperator(partial(_call, layer), partial(_values, layer), compiled, x)


def gram(f: Callable, x: Any, v: Any) -> Any:
    """Returns J^T J v of the function f at x."""
    return _transposed_product(f, x, _product(f, x, v))


def _product(f, x, v):
    return jvp(f, (x,), (v,))[1]


def _transposed_product(f, x, u):
    return vjp(f, x)[1](u)[0]


def _call(layer, values, x):
    takes_training = "training" in inspect.signature(layer.call).parameters
    context = {"training": False} if takes_training else {}
    # All variables by value, also those that do not change: within another stateless scope (JAX, in
    # `fit`) the layer would otherwise read the variables themselves, and get no gradient.
    with keras.StatelessScope(state_mapping=zip(layer.variables, values, strict=True)):
        return layer(x, **context)


def _values(layer):
    return [ops.copy(variable) for variable in layer.variables]


def _as_point(x, dtypes=None):
    x = tree.map_structure(ops.convert_to_tensor, as_vector(x))
    if dtypes is None:
        return x
    if not tree.is_nested(dtypes):
        return tree.map_structure(lambda leaf: ops.cast(leaf, dtypes), x)
    return tree.map_structure(ops.cast, x, dtypes)


def _matched(v, like, name):
    expected = tree.flatten(like)
    # by way of NumPy: Keras on torch makes float32 of Python's and NumPy's numbers
    leaves = map(as_vector, tree.flatten(v if tree.is_nested(like) else as_vector(v)))
    leaves = [ops.convert_to_tensor(leaf) for leaf in leaves]
    shapes = [tuple(leaf.shape) for leaf in leaves], [tuple(leaf.shape) for leaf in expected]
    if not _fit(*shapes):
        raise ValueError(f"`{name}` must have shape {shapes[1]}. Received: {shapes[0]}")
    leaves = [ops.cast(a, b.dtype) for a, b in zip(leaves, expected, strict=True)]
    return tree.pack_sequence_as(like, leaves)


def _fit(received, expected):
    return len(received) == len(expected) and all(
        len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b, strict=True))
        for a, b in zip(received, expected, strict=True)
    )


def _shape(leaf):
    return tuple(leaf.shape)
