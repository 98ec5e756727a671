"""SignedNodeAttention: attention to the nodes of a signed network, or to its arcs."""

from typing import Any

import keras
import numpy as np
from keras import ops

from stepkit._registry import serializable
from stepkit.networks._adjacency import adjacency

MODES = ("node", "edge")
FORBIDDEN = -1e9


@serializable
class SignedNodeAttention(keras.Layer):
    """Passes messages along the arcs of a signed network, weighted by learned attention.

    ```
    node    y_i = sum_j S_ij a_j x_j U / n_i          a = softmax over nodes of v . tanh(W x_j + b)
    edge    y_i = sum_j S_ij a_ij x_j U               a_i = softmax over arcs of leaky_relu(e_ij)
                                                      e_ij = q . W x_i + k . W x_j
    ```

    S holds the signs of the arcs of `network`, `S_ij != 0` where node j acts on node i, and n_i
    counts the arcs that act on i. The layer sees the signs and nothing of the sizes: what it learns
    of those is in its attention. The output is linear in what is sent. Node attention is one
    distribution over all nodes; edge attention is one for each node, over those that act on it.

    Args:
        network: array `(n, n)`, sparse matrix or networkx graph: A of x' = A x.
        units: int, numbers of a node in the output; `None` for as many as in the input. Defaults to
            `None`.
        mode: `"node"` or `"edge"`. Defaults to `"node"`.
        hidden_dim: int, rows of W. Defaults to `8`.
        signs_only: bool; with `False` the layer gets A itself, row by row divided by the sum of
            sizes, in place of S_ij / n_i and S_ij: a control, in which attention has little left to
            tell. Defaults to `True`.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        x: tensor `(batch, n, features)`.
        return_attention_scores: bool, whether to return `(y, a)` with a of shape `(batch, n)` or
            `(batch, n, n)`. Defaults to `False`.

    Output shape:
        `(batch, n, units)`.

    Raises:
        ValueError: where `network` is no square matrix of finite numbers, or x has another number
            of nodes.

    Example: the second node is acted on by the first, and by nothing else.
    >>> layer = SignedNodeAttention([[0.0, 0.0], [-3.0, 0.0]], mode="edge")
    >>> y, a = layer(keras.ops.ones((1, 2, 1)), return_attention_scores=True)
    >>> keras.ops.convert_to_numpy(a[0]).tolist()
    [[0.0, 0.0], [1.0, 0.0]]

    Reference: after N. Bahador, M. Lankarany, Dynamics 3 (2023) 214-233, and the code that its
    authors published, without its slips: the network stays as it is, weights are distributions, and
    the target is never an input. Edge attention: P. Velickovic et al., ICLR 2018.
    """

    def __init__(
        self,
        network: Any,
        units: int | None = None,
        mode: str = "node",
        hidden_dim: int = 8,
        signs_only: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        matrix = adjacency(network)
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {MODES}. Received: mode={mode!r}")
        self.network, self.units, self.mode = matrix, units, mode
        self.hidden_dim, self.signs_only = hidden_dim, signs_only
        sizes = np.sign(abs(matrix)) if signs_only else abs(matrix)
        self._shares = sizes / np.maximum(sizes.sum(axis=1, keepdims=True), 1e-30)
        self._signs = np.sign(matrix)

    def build(self, input_shape: tuple) -> None:
        """Creates the weights."""
        if input_shape[1] != len(self.network):
            raise ValueError(
                f"{self.name}: `x` must have shape (batch, {len(self.network)}, features), a row "
                f"for each node. Received: shape {tuple(input_shape)}"
            )
        features = input_shape[-1]
        self.inner = self.add_weight((features, self.hidden_dim), "glorot_uniform", name="inner")
        if self.mode == "node":
            self.bias = self.add_weight((self.hidden_dim,), "zeros", name="bias")
            self.readout = self.add_weight((self.hidden_dim, 1), "glorot_uniform", name="readout")
        else:
            shape = (self.hidden_dim, 2)
            self.readout = self.add_weight(shape, "glorot_uniform", name="readout")
        units = self.units or features
        self.kernel = self.add_weight((features, units), "glorot_uniform", name="kernel")

    def call(self, x: Any, return_attention_scores: bool = False) -> Any:
        """Returns the messages that arrive, and the attention where it is wanted."""
        hidden = ops.matmul(x, ops.cast(self.inner, x.dtype))
        node = self.mode == "node"
        scores = self._node_scores(hidden) if node else self._edge_scores(hidden)
        sent = ops.matmul(x, ops.cast(self.kernel, x.dtype))
        arcs = self._like(self._signs * self._shares, x)
        if node:
            y = ops.matmul(arcs, scores[..., None] * sent)
        else:
            signs = self._signs if self.signs_only else self._signs * self._shares
            y = ops.matmul(self._like(signs, x) * scores, sent)
        return (y, scores) if return_attention_scores else y

    def _node_scores(self, hidden: Any) -> Any:
        hidden = ops.tanh(hidden + ops.cast(self.bias, hidden.dtype))
        logits = ops.matmul(hidden, ops.cast(self.readout, hidden.dtype))
        return ops.softmax(logits[..., 0], axis=-1)

    def _edge_scores(self, hidden: Any) -> Any:
        both = ops.matmul(hidden, ops.cast(self.readout, hidden.dtype))
        both = ops.cast(both, keras.backend.result_type(both.dtype, "float32"))
        logits = ops.leaky_relu(both[..., :, None, 0] + both[..., None, :, 1])
        there = ops.convert_to_tensor(self._signs != 0)
        scores = ops.softmax(ops.where(there, logits, FORBIDDEN), axis=-1)
        scores = ops.where(there, scores, 0.0)  # also where nothing acts on a node
        return ops.cast(scores, hidden.dtype)

    def _like(self, array: np.ndarray, x: Any) -> Any:
        return ops.convert_to_tensor(array, dtype=x.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the shape of y."""
        return (*input_shape[:-1], self.units or input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"network": self.network.tolist(), "units": self.units, "mode": self.mode}
        own |= {"hidden_dim": self.hidden_dim, "signs_only": self.signs_only}
        return {**super().get_config(), **own}
