"""Metrics of sequences against loops, on arrays and on tensors."""

import numpy as np
import pytest
from keras import ops

from stepkit.stiffness import BlockIndex, peak_to_median, spread, total_variation

RNG = np.random.default_rng()


def median(values):
    values, n = sorted(values), len(values)
    return values[n // 2] if n % 2 else (values[n // 2 - 1] + values[n // 2]) / 2


ORACLES = {
    total_variation: lambda v: [
        sum(abs(row[t + 1] - row[t]) for t in range(len(row) - 1)) for row in v
    ],
    peak_to_median: lambda v: [max(row) / median(row) for row in v],
    spread: lambda v: [np.sqrt(np.mean((col - col.mean()) ** 2)) for col in v.T],
}


@pytest.mark.parametrize("metric", ORACLES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(4, 6), (3, 5), (2, 1), (1, 2)])
def test_against_a_loop(metric, shape):
    values = RNG.uniform(0.1, 3.0, size=shape)
    expected = ORACLES[metric](values)
    received = metric(values)
    assert isinstance(received, np.ndarray)
    np.testing.assert_allclose(received, expected, rtol=1e-12, atol=1e-15)
    received = metric(ops.convert_to_tensor(values, "float32"))
    assert ops.is_tensor(received)
    np.testing.assert_allclose(ops.convert_to_numpy(received), expected, rtol=1e-4, atol=1e-6)


def test_properties_of_total_variation():
    values = RNG.uniform(size=(3, 7))
    rising = np.sort(values, axis=-1)
    np.testing.assert_allclose(total_variation(rising), rising[:, -1] - rising[:, 0])
    np.testing.assert_allclose(total_variation(values[:, ::-1]), total_variation(values))
    np.testing.assert_allclose(total_variation(2 * values + 1), 2 * total_variation(values))
    ends = np.abs(values[:, -1] - values[:, 0])
    assert (total_variation(values) >= ends - 1e-12).all()


@pytest.mark.parametrize("convert", [np.asarray, ops.convert_to_tensor])
def test_edges_of_peak_to_median(convert):
    values = [[0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [0.0, 0.0, 1.0], [np.nan, 1.0, 1.0]]
    received = peak_to_median(convert(np.array(values, "float32")))
    np.testing.assert_array_equal(
        np.asarray(ops.convert_to_numpy(received)), [1, 1, np.inf, np.nan]
    )


def test_the_range_is_the_width_of_the_envelope():
    values = RNG.normal(size=(6, 4))
    expected = [max(column) - min(column) for column in values.T]
    np.testing.assert_allclose(spread(values, "range"), expected)
    received = spread(ops.convert_to_tensor(values, "float32"), kind="range")
    np.testing.assert_allclose(ops.convert_to_numpy(received), expected, rtol=1e-5)


def test_a_block_index_is_taken_too():
    values = RNG.uniform(size=(3, 4))
    index = BlockIndex(values, tuple("abcd"), "raw", (False,) * 4, (0, 0, 1, 1))
    for metric in ORACLES:
        np.testing.assert_array_equal(metric(index), metric(values))
    first, second = index.by_stage()
    assert (first.names, second.names) == (("a", "b"), ("c", "d"))
    np.testing.assert_array_equal(np.asarray(second), values[:, 2:])
    assert np.asarray(index, dtype="float32").dtype == np.float32


def test_errors():
    for metric in ORACLES:
        with pytest.raises(ValueError, match=r"`index` must hold.*shape \(3, 0\)"):
            metric(np.ones((3, 0)))
        with pytest.raises(ValueError, match=r"`index` must hold.*shape \(\)"):
            metric(1.0)
    with pytest.raises(ValueError, match=r"`kind` must be 'std' or 'range'.*'iqr'"):
        spread(np.ones((2, 2)), "iqr")
