"""One file of independent oracles per lesson."""
