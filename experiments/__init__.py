"""One script per empirical claim; each writes a JSON file in `experiments/results`."""
