"""Our solvers beside diffrax, torchdiffeq and SciPy: `python -m benchmarks.odeint`."""
