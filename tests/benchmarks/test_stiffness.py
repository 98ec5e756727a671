"""The benchmark of stiffness measures what it names, and the page shows what was recorded."""

import time

import keras
import numpy as np
import pytest

from benchmarks import report
from benchmarks.stiffness import monitor, spectra
from benchmarks.stiffness.networks import NETWORKS
from stepkit.layers import residual_blocks


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_are_made_of_steps_that_the_monitor_sees(kind):
    found = residual_blocks(NETWORKS[kind](depth=3))
    assert [block.projection for block in found] == [False] * 3


def test_power_is_the_slope_of_a_power_law():
    p = np.random.default_rng().uniform(-3, 3)
    size = np.array([3.0, 10.0, 50.0])
    assert spectra.power(size, list(0.2 * size**p)) == pytest.approx(p, abs=1e-9)


def test_both_ways_agree_where_the_krylov_space_is_everything():
    row = spectra.compared(width=12, depth=2, repeats=1)
    assert row["apart"] < 1e-3  # float32, eigenvalues of random blocks of condition below 100
    assert row["times"]["full"]["min"] > 0


def test_every_epoch_gets_its_time():
    timer = monitor.EpochTimes()
    model = NETWORKS["dense"](4, 1)
    x = np.zeros((8, 4))
    model.fit(x, x, epochs=3, verbose=0, callbacks=[timer, Slow()])
    assert len(timer.seconds) == 3
    assert timer.seconds[1] > 0.2


def test_the_page_shows_the_records():
    page = (report.ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert page == report.text(), "run python -m benchmarks.report"


class Slow(keras.callbacks.Callback):
    """Makes the second epoch take 0.2 s more."""

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.2 * (epoch == 1))
