"""Initial value problems, most with their exact solution."""

from stepkit.ode.problems.base import Problem
from stepkit.ode.problems.dahlquist import Dahlquist
from stepkit.ode.problems.harmonic_oscillator import HarmonicOscillator
from stepkit.ode.problems.linear_system import LinearSystem
from stepkit.ode.problems.logistic import Logistic
from stepkit.ode.problems.lorenz import Lorenz
from stepkit.ode.problems.prothero_robinson import ProtheroRobinson
from stepkit.ode.problems.robertson import Robertson
from stepkit.ode.problems.seasonal_growth import SeasonalGrowth
from stepkit.ode.problems.van_der_pol import VanDerPol

__all__ = [
    "Dahlquist",
    "HarmonicOscillator",
    "LinearSystem",
    "Logistic",
    "Lorenz",
    "Problem",
    "ProtheroRobinson",
    "Robertson",
    "SeasonalGrowth",
    "VanDerPol",
]
