"""What looking at stiffness and importing stepkit cost: `python -m benchmarks.stiffness`."""
