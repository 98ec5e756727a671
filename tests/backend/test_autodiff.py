"""Derivatives against closed forms."""

import numpy as np
import pytest
from keras import ops

from stepkit._backend import grad, hvp, jacobian, jvp, vjp

RNG = np.random.default_rng()
A = RNG.normal(size=(3, 4))
X = RNG.normal(size=4)


def to_numpy(x):
    return ops.convert_to_numpy(x)


def tensor(x):
    return ops.convert_to_tensor(x, dtype="float64")


def field(x):
    """A x^2, elementwise square; Jacobian 2 A diag(x)."""
    return ops.sum(tensor(A) * x * x, axis=-1)


J = 2 * A * X


def test_jvp_and_vjp_are_the_jacobian_and_its_transpose():
    v, u = RNG.normal(size=4), RNG.normal(size=3)
    value, pushed = jvp(field, (tensor(X),), (tensor(v),))
    np.testing.assert_allclose(to_numpy(value), A @ X**2)
    np.testing.assert_allclose(to_numpy(pushed), J @ v)
    value, pullback = vjp(field, X)
    np.testing.assert_allclose(to_numpy(value), A @ X**2)
    for _ in range(2):  # a pullback may be called again
        np.testing.assert_allclose(to_numpy(pullback(tensor(u))[0]), J.T @ u)


def test_tangents_have_the_dtype_of_the_value():
    x = ops.convert_to_tensor(np.array([2.0, 0.5], "float32"))
    value, pushed = jvp(lambda x: ops.stack([1.5 * (1 - x[0] ** 2), x[1]]), (x,), (x,))
    assert value.dtype == pushed.dtype
    np.testing.assert_allclose(to_numpy(pushed), [-12.0, 0.5], rtol=1e-6)


def test_vjp_takes_structures_and_gives_zeros_for_what_is_not_used():
    def f(pair, unused):
        return {"sum": pair[0] + 2.0 * pair[1]}

    _, pullback = vjp(f, (np.ones(2), np.ones(2)), np.ones(3))
    pair, unused = pullback({"sum": tensor(np.array([1.0, 5.0]))})
    np.testing.assert_array_equal(to_numpy(pair[0]), [1.0, 5.0])
    np.testing.assert_array_equal(to_numpy(pair[1]), [2.0, 10.0])
    np.testing.assert_array_equal(to_numpy(unused), np.zeros(3))


def test_grad_and_hvp_of_a_cubic():
    v = RNG.normal(size=4)

    def cubic(x):
        return ops.sum(x * x * x)

    np.testing.assert_allclose(to_numpy(grad(cubic)(tensor(X))), 3 * X**2)
    np.testing.assert_allclose(to_numpy(hvp(cubic, tensor(X), tensor(v))), 6 * X * v)


def test_jacobian_is_the_matrix():
    np.testing.assert_allclose(to_numpy(jacobian(field, tensor(X))), J)


def test_grad_refuses_a_vector():
    with pytest.raises(ValueError, match="scalar"):
        grad(field)(tensor(X))
