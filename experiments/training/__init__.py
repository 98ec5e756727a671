"""The recipe that trains image classifiers, the same for every experiment."""
