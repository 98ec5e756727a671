"""Problems against SciPy's integrator and against their own slope."""

import numpy as np
import pytest
from keras import ops
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from stepkit.ode import problems

RNG = np.random.default_rng()
EXACT = [
    problems.Dahlquist(-RNG.uniform(0.5, 2), y0=RNG.normal(), t_span=(1.0, 2.5)),
    problems.Logistic(rate=1.3, capacity=2.5, y0=0.4, t_span=(-1.0, 2.0)),
    problems.HarmonicOscillator(frequency=RNG.uniform(0.5, 2), y0=(0.3, -1.1), t_span=(0.5, 3.0)),
    problems.SeasonalGrowth(y0=0.7, t_span=(0.3, 2.0)),
    problems.ProtheroRobinson(-3.0, y0=0.2, t_span=(0.4, 2.0)),
    problems.LinearSystem(RNG.normal(size=(3, 3)), y0=RNG.normal(size=3), t_span=(0.2, 1.5)),
]
ALL = [*EXACT, problems.VanDerPol(), problems.Lorenz()]


def name(problem):
    return type(problem).__name__


@pytest.mark.parametrize("problem", EXACT, ids=name)
def test_exact_solution_against_scipy(problem):
    ts = np.linspace(*problem.t_span, 7)
    oracle = solve_ivp(problem.f, problem.t_span, problem.y0, t_eval=ts, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(problem.exact(ts), oracle.y.T, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(problem.exact(ts[3]), problem.exact(ts)[3], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(problem.exact(ts[0]), problem.y0)


@pytest.mark.parametrize("problem", ALL, ids=name)
def test_the_field_is_the_same_on_tensors_and_on_batches(problem):
    y = RNG.normal(size=(4, len(problem.y0)))
    expected = problem.f(0.7, y)
    assert isinstance(expected, np.ndarray)
    np.testing.assert_allclose(problem.f(0.7, y[2]), expected[2])
    t, tensor = ops.convert_to_tensor(0.7, "float32"), ops.convert_to_tensor(y, "float32")
    received = ops.convert_to_numpy(problem.f(t, tensor))
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4)
    assert received.dtype == np.float32


def test_complex_dahlquist():
    problem = problems.Dahlquist(1j)
    np.testing.assert_allclose(problem.exact(np.pi), [-1.0], atol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0])
def test_exponential_against_scipy_also_for_defective_matrices(scale):
    for matrix in (scale * RNG.normal(size=(4, 4)), scale * np.diag([1.0, 1.0], 1)):
        y0 = RNG.normal(size=len(matrix))
        expected = expm(matrix) @ y0
        np.testing.assert_allclose(
            problems.LinearSystem(matrix, y0).exact(1.0),
            expected,
            rtol=1e-9,
            atol=1e-10 * np.linalg.norm(expected),
        )


def test_errors():
    with pytest.raises(ValueError, match="square"):
        problems.LinearSystem([[1.0, 2.0]])
    with pytest.raises(ValueError, match="y0"):
        problems.LinearSystem(np.eye(2), y0=[1.0])
    with pytest.raises(NotImplementedError, match="Lorenz"):
        problems.Lorenz().exact(1.0)
