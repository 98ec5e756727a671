"""Proves that the checks tell right from wrong: the parts of `course verify`."""
