"""hutchinson_trace: the trace of an operator from random probes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from stepkit.spectra._vectors import Frame, draw, like_of, positive, seeds


class TraceEstimate(NamedTuple):
    """An estimated trace and how far to trust it.

    Attributes:
        estimate: scalar, the mean of the samples; `(batch,)` per sample of a batch.
        standard_error: of the same shape: the standard deviation of the samples over
            sqrt(num_probes).
        samples: array `(num_probes,)` or `(num_probes, batch)`, the values v . A v.

    Example:
    >>> found = stepkit.spectra.hutchinson_trace(lambda v: 2.0 * v, like=3, num_probes=2)
    >>> (float(found.estimate), float(found.standard_error))
    (6.0, 0.0)
    """

    estimate: Any
    standard_error: Any
    samples: Any


def hutchinson_trace(
    matvec: Callable[[Any], Any],
    like: Any = None,
    num_probes: int = 30,
    *,
    per_sample: bool = False,
    seed: Any = None,
) -> TraceEstimate:
    """Estimates the trace of a square operator, symmetric or not, by products with random signs.

        tr A = E[v . A v],    v_i = +1 or -1 with even chance

    The estimate is unbiased; the variance of one probe is the sum of ((a_ij + a_ji)^2) over i < j,
    so a diagonal A is exact. The standard error is itself estimated: with few probes, read it as
    such. Probes are a fixed number: to stop once the error looks small biases the estimate.

    A gradient flows through the products, the probes held fixed.

    Args:
        matvec: callable v -> A v, in NumPy or in tensors as `like` is.
        like: int n, for NumPy vectors of that length; or an array, a tensor or a structure of them
            that shows the shapes. Defaults to `None`: what the operator tells (`matvec.like`).
        num_probes: int, at least 2. Defaults to `30`.
        per_sample: bool, whether A acts on each sample of a batch, the first axis, by itself: then
            there is one trace a sample. Defaults to `False`.
        seed: int, `keras.random.SeedGenerator` or `None`. Defaults to `None`: new ones each time.

    Returns:
        `TraceEstimate`, in NumPy or in tensors.

    Raises:
        ValueError: where `num_probes` is less than 2, or shapes do not fit.

    Example:
    >>> A = np.array([[1.0, 0.5], [0.5, 2.0]])
    >>> found = hutchinson_trace(lambda v: A @ v, like=2, num_probes=400, seed=1)
    >>> bool(abs(found.estimate - 3.0) < 5 * found.standard_error)
    True

    Reference: M. Hutchinson, Commun. Stat. Simul. Comput. 18 (1989) 1059-1076; H. Avron, S. Toledo,
    J. ACM 58 (2011) 8.
    """
    if positive("num_probes", num_probes) < 2:
        raise ValueError(f"`num_probes` must be at least 2. Received: num_probes={num_probes}")
    like = like_of(matvec, like)
    frame = Frame(like, per_sample)
    apply, samples = frame.operator(matvec), []
    for s in seeds(seed, num_probes):
        v = frame.flatten(draw(like, s, "rademacher"))
        samples.append(frame.dot(v, apply(v)))
    samples = frame.xp.stack(samples)
    estimate = frame.xp.sum(samples, axis=0) / num_probes  # ops.mean rounds float64 to float32
    variance = frame.xp.sum((samples - estimate) ** 2, axis=0) / (num_probes - 1)
    return TraceEstimate(estimate, frame.xp.sqrt(variance / num_probes), samples)
