"""Names and keys."""

import keras
import pytest

from stepkit import layers, ode
from stepkit._registry import Names, serializable, snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RK4", "rk4"),
        ("ResidualStep", "residual_step"),
        ("ODEBlock", "ode_block"),
        ("Euler", "euler"),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


def test_public_objects_are_registered_under_the_package():
    for cls in (layers.ResidualStep, layers.ODEBlock, ode.RK4, ode.ButcherTableau):
        assert keras.saving.get_registered_name(cls) == f"stepkit>{cls.__name__}"


def test_objects_from_elsewhere_are_refused():
    class Stranger:
        pass

    with pytest.raises(ValueError, match="register_keras_serializable"):
        serializable(Stranger)


def test_a_name_cannot_be_taken_twice():
    thief = type("RK4", (), {"__module__": "stepkit.elsewhere"})
    with pytest.raises(ValueError, match="taken"):
        serializable(thief)
    assert keras.saving.get_registered_object("stepkit>RK4") is ode.RK4


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown gate\. Expected one of \[\]\. Received: 'x'"):
        Names("gate").make("x")
