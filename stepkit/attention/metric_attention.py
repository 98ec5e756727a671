"""MetricAttention: attention by a learned distance."""

from typing import Any

import keras
from keras import ops

from stepkit._registry import serializable
from stepkit.attention._attention_mask import standardize_mask
from stepkit.attention._kernel import NORMALISATIONS, Kernel, potential


@serializable
class MetricAttention(keras.Layer):
    """Attention whose weights fall with a learned distance between points.

    ```
    S_ij = exp(-||g(x_i) - g(y_j)||^2 / T) / sum_k exp(-||g(x_i) - g(y_k)||^2 / T)
    out  = S y
    g(x) = x + W2 tanh(W1 x + b1) + b2
    ```

    One map g for queries x and keys y: that makes the distance symmetric and zero from a point to
    itself, so a point is nearest to itself. With `metric="linear"`, g(x) = W x, this is L2
    attention. The published algorithm has no temperature and no value map; neither has this layer
    by default.

    The squares are taken apart, so nothing of size n m d is ever made. Weights are computed in at
    least single precision. With `chunk_size` the n m weights are never all there at once, neither
    in the forward nor in the backward pass, which makes each chunk again.

    Args:
        num_heads: int, heads that share out the d numbers of g(x), and of the values. Defaults to
            `1`.
        hidden_dim: int, the width of g's hidden layer; `None` for d. Defaults to `None`.
        metric: `"mlp"` or `"linear"`. Defaults to `"mlp"`.
        normalisation: `"softmax"`, as above; `"double"` (keys are normalised over queries first),
            `"diffusion"` (weights are divided by the degrees of both points first, which takes the
            influence of the density away), or `"sinkhorn"` (rows and columns in turn). The rows sum
            to 1 with all of them. Where no mask breaks the symmetry, "double" and "diffusion" are
            the same for self-attention. Defaults to `"softmax"`.
        temperature: positive float T. Defaults to `1.0`.
        use_value: bool, whether values go through a learned map of their own, and the output
            through another, as in a Transformer. Defaults to `False`.
        num_iterations: odd int, of "sinkhorn"; 1 is softmax. Defaults to `5`.
        chunk_size: int, queries at a time, or `None` for all. Defaults to `None`.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        x: tensor `(batch, n, d)`.
        context: tensor `(batch, m, d)`, the points y; `None` for x itself. Defaults to `None`.
        attention_mask: bool tensor `(batch, n, m)` or `(n, m)`, true where a point may look. One
            that may look nowhere gets zeros. Defaults to `None`.
        return_attention_scores: bool, whether to return `(out, S)` with S of shape
            `(batch, num_heads, n, m)`. Defaults to `False`.

    Output shape:
        That of x.

    Raises:
        ValueError: for a d that heads do not divide, a context of another d, a mask of another
            shape, "diffusion" with a context, and an unknown n with chunks.

    Example: the first two points are near each other, and the third is far away.
    >>> x = keras.ops.convert_to_tensor([[[0.0, 0.0], [0.1, 0.0], [9.0, 9.0]]])
    >>> layer = MetricAttention(metric="linear")
    >>> out, scores = layer(x, return_attention_scores=True)
    >>> keras.ops.convert_to_numpy(keras.ops.argmax(scores[0, 0], axis=-1)).tolist()
    [0, 1, 2]

    Reference: T. Ruan, S. Zhang, *Towards understanding how attention mechanism works in deep
    learning*, arXiv 2412.18288. L2 attention: H. Kim, G. Papamakarios, A. Mnih, ICML 2021.
    "double": N. Ding et al., arXiv 2009.14308. "sinkhorn": M. Sander et al., AISTATS 2022.
    "diffusion": R. Coifman, S. Lafon, Appl. Comput. Harmon. Anal. 21 (2006) 5-30.
    """

    def __init__(
        self,
        num_heads: int = 1,
        hidden_dim: int | None = None,
        metric: str = "mlp",
        normalisation: str = "softmax",
        temperature: float = 1.0,
        use_value: bool = False,
        num_iterations: int = 5,
        chunk_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_choice("metric", metric, ("mlp", "linear"))
        _check_choice("normalisation", normalisation, NORMALISATIONS)
        for name, value in (("num_heads", num_heads), ("hidden_dim", hidden_dim or 1),
                            ("chunk_size", chunk_size or 1)):  # fmt: skip
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be a positive int. Received: {name}={value!r}")
        if not temperature > 0:
            raise ValueError(
                f"`temperature` must be positive. Received: temperature={temperature!r}"
            )
        if not isinstance(num_iterations, int) or num_iterations < 1 or num_iterations % 2 == 0:
            raise ValueError(
                "`num_iterations` must be odd, so that rows are normalised last. "
                f"Received: num_iterations={num_iterations!r}"
            )
        self.num_heads, self.hidden_dim, self.metric = num_heads, hidden_dim, metric
        self.normalisation, self.temperature, self.use_value = normalisation, temperature, use_value
        self.num_iterations, self.chunk_size = num_iterations, chunk_size

    def build(self, x_shape: tuple, context_shape: tuple | None = None) -> None:
        """Creates the map g, and those of the values."""
        channels = x_shape[-1]
        if channels is None or channels % self.num_heads:
            raise ValueError(
                f"{self.name}: the last axis of `x` must be known and divisible by "
                f"{self.num_heads} heads. Received: shape {tuple(x_shape)}"
            )
        if context_shape is not None and context_shape[-1] != channels:
            raise ValueError(
                f"{self.name}: `context` must have as many channels as `x`, {channels}: one map "
                f"is for both. Received: shape {tuple(context_shape)}"
            )
        if self.chunk_size is not None and x_shape[1] is None:
            raise ValueError(
                f"{self.name}: with `chunk_size` the number of points must be known. "
                f"Received: `x` of shape {tuple(x_shape)}"
            )
        if self.metric == "linear":
            self.maps = [self._dense(channels, channels, "metric", use_bias=False)]
        else:
            hidden = self.hidden_dim or channels
            self.maps = [
                self._dense(channels, hidden, "inner", activation="tanh"),
                self._dense(hidden, channels, "outer"),
            ]
        if self.use_value:
            self.value = self._dense(channels, channels, "value", use_bias=False)
            self.output_map = self._dense(channels, channels, "output", use_bias=False)

    def _dense(self, inputs: int, units: int, name: str, **kwargs: Any) -> keras.layers.Dense:
        layer = keras.layers.Dense(units, name=name, dtype=self.dtype_policy, **kwargs)
        layer.build((None, inputs))
        return layer

    def embed(self, x: Any) -> Any:
        """Returns g(x), of the shape of x: points between which the distance is Euclidean."""
        y = x
        for layer in self.maps:
            y = layer(y)
        return y if self.metric == "linear" else x + y

    def call(
        self,
        x: Any,
        context: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
    ) -> Any:
        """Returns the weighted means of the values, and the weights where they are wanted."""
        if context is not None and self.normalisation == "diffusion":
            raise ValueError(
                f'{self.name}: normalisation="diffusion" needs one set of points, for each of '
                'which there is a degree. Received: a `context` besides; "double" takes one'
            )
        other = x if context is None else context
        query = self._heads(self.embed(x))
        key = query if context is None else self._heads(self.embed(other))
        value = self._heads(self.value(other) if self.use_value else other, full=False)
        mask = standardize_mask(attention_mask, x.shape, other.shape, self.name)
        kernel = Kernel(query, key, self.temperature, mask, self.chunk_size)
        added = potential(kernel, self.normalisation, self.num_iterations)
        out, *scores = kernel.attend(value, added, return_attention_scores)
        mixed = self._joined(out)
        mixed = self.output_map(mixed) if self.use_value else mixed
        return (mixed, *scores) if return_attention_scores else mixed

    def _heads(self, x: Any, full: bool = True) -> Any:
        """Returns `(batch, heads, n, d / heads)`, in full precision where that counts."""
        x = ops.cast(x, keras.backend.result_type(x.dtype, "float32")) if full else x
        shape = (-1, x.shape[1], self.num_heads, x.shape[2] // self.num_heads)
        shape = tuple(-1 if each is None else each for each in shape)
        if x.shape[1] is None:
            shape = (ops.shape(x)[0], *shape[1:])
        return ops.transpose(ops.reshape(x, shape), (0, 2, 1, 3))

    def _joined(self, x: Any) -> Any:
        x = ops.transpose(x, (0, 2, 1, 3))
        shape = ops.shape(x)
        return ops.reshape(x, (shape[0], shape[1], x.shape[2] * x.shape[3]))

    def compute_output_shape(self, x_shape: tuple, context_shape: tuple | None = None) -> tuple:
        """Returns the shape of x."""
        return tuple(x_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = ("num_heads", "hidden_dim", "metric", "normalisation", "temperature", "use_value",
                 "num_iterations", "chunk_size")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")
