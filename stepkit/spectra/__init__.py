"""Matrix-free linear algebra on callables v -> A v: eigenvalues, densities, traces, norms."""

from stepkit._backend import jvp, vjp
from stepkit.spectra.arnoldi import arnoldi
from stepkit.spectra.dense import (
    logarithmic_norm,
    numerical_range,
    spectral_abscissa,
    spectral_radius,
)
from stepkit.spectra.density import SpectralDensity, spectral_density
from stepkit.spectra.hessian_operator import HessianOperator, hessian_operator
from stepkit.spectra.jacobian_operator import JacobianOperator, jacobian_operator
from stepkit.spectra.lanczos import lanczos
from stepkit.spectra.operator_norm import operator_norm
from stepkit.spectra.power import Eigenpair, power_iteration
from stepkit.spectra.raveling import ravel, unravel
from stepkit.spectra.ritz import Ritz
from stepkit.spectra.trace import TraceEstimate, hutchinson_trace

__all__ = [
    "Eigenpair",
    "HessianOperator",
    "JacobianOperator",
    "Ritz",
    "SpectralDensity",
    "TraceEstimate",
    "arnoldi",
    "hessian_operator",
    "hutchinson_trace",
    "jacobian_operator",
    "jvp",
    "lanczos",
    "logarithmic_norm",
    "numerical_range",
    "operator_norm",
    "power_iteration",
    "ravel",
    "spectral_abscissa",
    "spectral_density",
    "spectral_radius",
    "unravel",
    "vjp",
]
