"""What channel attention costs: a training step and an answer, module by module."""
