"""Speed, measured side by side; each script writes a JSON file in `benchmarks/results`."""
