"""What the algorithms see of vectors: one flat array, in NumPy or in tensors.

A user's vector is an array or tensor of any shape, or a nested structure of them. A `Frame` lays it
out flat, as `(n,)` or, sample by sample, as `(batch, n)`; the algorithms work on the last axis and
never learn what the vector looked like.
"""

from collections.abc import Callable
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops, tree

HALF = ("float16", "bfloat16")


class Frame:
    """The layout of vectors like a given one.

    Args:
        like: array, tensor or nested structure of them. With `per_sample`, each has the batch as
            its first axis.
        per_sample: bool, whether inner products are taken within each sample.

    Attributes:
        xp: `numpy` where all leaves of `like` are NumPy's, else `keras.ops`.
        dtype: str, in which numbers are added up: the widest of the leaves', float32 at least.
    """

    def __init__(self, like: Any, per_sample: bool = False) -> None:
        leaves = tree.flatten(like)
        if not leaves:
            raise ValueError(f"Expected a vector with at least one entry. Received: {like!r}")
        self.like, self.per_sample = like, per_sample
        self.xp = np if all(map(_is_numpy, leaves)) else ops
        self.dtypes = [_dtype(leaf) for leaf in leaves]
        self.dtype = "float64" if "float64" in self.dtypes else "float32"
        shapes = [tuple(self.xp.shape(leaf)) for leaf in leaves]
        if per_sample and not all(shapes):
            raise ValueError(
                "With `per_sample`, vectors must have the batch as their first axis. "
                f"Received: shapes {shapes}"
            )
        self.shapes = [shape[per_sample:] for shape in shapes]  # without the batch
        self.ends = list(accumulate(map(prod, self.shapes), initial=0))

    @property
    def size(self) -> int | None:
        """The length n of a flat vector; `None` where a traced shape does not tell."""
        return self.ends[-1] if isinstance(self.ends[-1], int) else None

    def flatten(self, vector: Any, who: str = "The vector") -> Any:
        """Returns a vector as one array `(n,)` or `(batch, n)` in `dtype`."""
        leaves = self._leaves(vector, who)
        return leaves[0] if len(leaves) == 1 else self.xp.concatenate(leaves, axis=-1)

    def unflatten(self, flat: Any) -> Any:
        """Returns the structure of a flat array `(..., n)`; leading axes are kept in front."""
        lead = tuple(self.xp.shape(flat))[:-1]
        if len(self.shapes) == 1:
            pieces = [flat]
        else:
            pieces = [flat[..., a:b] for a, b in pairwise(self.ends)]
        leaves = [
            self._cast(self.xp.reshape(piece, (*lead, *shape)), dtype)
            for piece, shape, dtype in zip(pieces, self.shapes, self.dtypes, strict=True)
        ]
        return tree.pack_sequence_as(self.like, leaves)

    def operator(self, matvec: Callable) -> Callable:
        """Returns `matvec` as a function of flat vectors."""
        return lambda flat: self.flatten(matvec(self.unflatten(flat)), "`matvec`")

    def detach(self, x: Any) -> Any:
        """Returns `x` without its gradient."""
        return x if self.xp is np else ops.stop_gradient(x)

    def dot(self, u: Any, v: Any) -> Any:
        """Returns the inner product of two flat vectors, one per sample."""
        return self.xp.sum(u * v, axis=-1)

    def norm(self, v: Any) -> Any:
        """Returns the Euclidean norm of a flat vector; at zero its gradient is zero, not NaN."""
        square = self.dot(v, v)
        zero = square == 0  # not `> 0`: what is not a number must not count as zero
        root = self.xp.sqrt(self.xp.where(zero, self.xp.ones_like(square), square))
        return self.xp.where(zero, self.xp.zeros_like(root), root)

    def unit(self, v: Any, otherwise: Any) -> Any:
        """Returns `v / |v|`, and `otherwise` where v is zero."""
        norm = self.norm(v)[..., None]
        zero = norm == 0
        return self.xp.where(
            zero, otherwise, v / self.xp.where(zero, self.xp.ones_like(norm), norm)
        )

    def _leaves(self, vector, who):
        leaves = tree.flatten(vector)
        if self.xp is np:
            leaves = [np.asarray(leaf) if _is_numpy(leaf) else to_numpy(leaf) for leaf in leaves]
        else:
            leaves = [ops.convert_to_tensor(leaf) for leaf in leaves]
        self._check(leaves, who)
        leaves = [self._cast(leaf, self.dtype) for leaf in leaves]
        if not self.per_sample:
            return [self.xp.reshape(leaf, (-1,)) for leaf in leaves]
        return [
            self.xp.reshape(leaf, (-1, prod(shape)))
            for leaf, shape in zip(leaves, self.shapes, strict=True)
        ]

    def _check(self, leaves, who):
        expected = [tuple(leaf.shape) for leaf in map(_with_shape, tree.flatten(self.like))]
        received = [tuple(leaf.shape) for leaf in leaves]
        if len(expected) != len(received) or not all(map(_agree, expected, received)):
            raise ValueError(
                f"{who} must have the shape of the vectors it acts on. "
                f"Expected: {_outline(expected)}. Received: {_outline(received)}"
            )
        if any("complex" in _dtype(leaf) for leaf in leaves):
            raise ValueError(f"{who} must be real. Received: {list(map(_dtype, leaves))}")

    def _cast(self, leaf, dtype):
        return leaf.astype(dtype, copy=False) if self.xp is np else ops.cast(leaf, dtype)


def as_vector(v: Any) -> Any:
    """Returns a vector whose leaves are floating: NumPy integers become float64, others floatx.

    A list of plain numbers is an array; other lists, tuples and dicts are structures.
    """
    if isinstance(v, (list, tuple)) and v and all(map(_is_number, tree.flatten(v))):
        v = np.array(v)
    return tree.map_structure(_floating, v)


def start(matvec: Callable, v0: Any, seed: Any) -> Any:
    """Returns `v0`, or a normal vector where there is none and `matvec.like` tells its shape."""
    if v0 is not None:
        v0 = as_vector(v0)
        leaves = tree.flatten(v0)
        if leaves and all(map(_is_numpy, leaves)) and not any(map(np.any, leaves)):
            raise ValueError("`v0` must not be zero. Received: zeros only")
        return v0
    if not hasattr(matvec, "like"):
        raise ValueError(
            "`v0` may be left out only for an operator that knows the shape of its vectors, such "
            f"as `jacobian_operator` makes. Received: matvec={matvec!r}, v0=None"
        )
    return draw(matvec.like, seed, "normal")


def like_of(matvec: Callable, like: Any) -> Any:
    """Returns a vector that shows the shapes: `like`, `matvec.like`, or n zeros for an int n."""
    if isinstance(like, (int, np.integer)) and not isinstance(like, bool):
        return np.zeros(positive("like", like))
    if like is not None:
        return as_vector(like)
    if not hasattr(matvec, "like"):
        raise ValueError(
            "`like` may be left out only for an operator that knows the shape of its vectors, such "
            f"as `jacobian_operator` makes. Received: matvec={matvec!r}, like=None"
        )
    return matvec.like


def draw(like: Any, seed: Any, distribution: str) -> Any:
    """Returns a random vector: `"normal"`, or `"rademacher"`, which is +1 or -1 with even chance.

    Args:
        like: vector whose structure, shapes and dtypes are taken.
        seed: int, `keras.random.SeedGenerator` or `None`.
        distribution: str.
    """
    leaves = tree.flatten(like)
    drawn = [
        _draw(leaf, s, distribution)
        for leaf, s in zip(leaves, seeds(seed, len(leaves)), strict=True)
    ]
    return tree.pack_sequence_as(like, drawn)


def seeds(seed: Any, count: int) -> list:
    """Returns `count` seeds from one; a generator moves on by itself and stands for each."""
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool):
        if seed is None or isinstance(seed, keras.random.SeedGenerator):
            return [seed] * count
        raise TypeError(
            "`seed` must be an int, a `keras.random.SeedGenerator` or None. "
            f"Received: seed={seed!r}"
        )
    # 31 bits, so that it is an int32 wherever a backend makes it one
    return [int(s) >> 1 for s in np.random.SeedSequence(int(seed)).generate_state(count)]


def positive(name: str, value: Any) -> int:
    """Returns an argument that must be a positive integer."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return int(value)


def to_numpy(x: Any) -> np.ndarray:
    """Returns a tensor as a NumPy array."""
    return np.asarray(ops.convert_to_numpy(x))


def _draw(leaf, seed, distribution):
    if _is_numpy(leaf) and not isinstance(seed, keras.random.SeedGenerator):
        rng = np.random.default_rng(seed)
        drawn = rng.normal(size=leaf.shape) if distribution == "normal" else _signs(rng, leaf)
        return np.asarray(drawn, dtype=leaf.dtype)
    shape, dtype = ops.shape(leaf), _dtype(leaf)
    if distribution == "normal":
        drawn = keras.random.normal(shape, dtype=dtype, seed=seed)
    else:
        half = keras.random.uniform(shape, dtype="float32", seed=seed) < 0.5
        drawn = ops.cast(half, dtype) * 2.0 - 1.0
    return to_numpy(drawn) if _is_numpy(leaf) else drawn


def _signs(rng, leaf):
    return 2.0 * rng.integers(0, 2, size=leaf.shape) - 1.0


def _floating(leaf):
    dtype = _dtype(leaf)
    if "complex" in dtype:
        raise ValueError(f"Vectors must be real. Received: dtype {dtype}")
    if dtype.startswith(("float", "bfloat")):
        return np.asarray(leaf) if _is_numpy(leaf) else leaf
    if _is_numpy(leaf):
        return np.asarray(leaf, dtype=float)
    return ops.cast(leaf, keras.config.floatx())


def _is_numpy(leaf):
    return isinstance(leaf, (np.ndarray, np.generic)) or _is_number(leaf)


def _is_number(leaf):
    return isinstance(leaf, (bool, int, float, complex, np.generic))


def _dtype(leaf):
    if _is_numpy(leaf):
        return str(np.asarray(leaf).dtype)
    return keras.backend.standardize_dtype(leaf.dtype)


def _with_shape(leaf):
    return np.asarray(leaf) if _is_number(leaf) else leaf


def _agree(a, b):
    return len(a) == len(b) and all(m == n or None in (m, n) for m, n in zip(a, b, strict=True))


def _outline(shapes):
    return shapes[0] if len(shapes) == 1 else shapes
