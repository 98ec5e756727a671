"""Small mistakes made on purpose: they show whether a check tells right from wrong."""

from stepkit.course.mutation.mutants import Mutant, NoRegion, mutants

__all__ = ["Mutant", "NoRegion", "mutants"]
