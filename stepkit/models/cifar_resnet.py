"""cifar_resnet: the residual networks of the CIFAR literature, with any channel attention."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from stepkit.models._residual_stage import BlockMaker, conv, norm

CONVOLUTIONS = {"bottleneck": 3, "basic": 2}  # a block of each kind
STAGES = 3


def cifar_resnet(
    depth: int = 20,
    attention: Any = None,
    num_classes: int = 10,
    *,
    block: str = "bottleneck",
    width: int = 16,
    attention_blocks: Sequence[bool] | None = None,
    solver: Any = "euler",
    step_size: float = 1.0,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classifier_activation: Any = "softmax",
    name: str = "cifar_resnet",
) -> keras.Model:
    """Returns a residual network for small images: stem, three stages of n blocks, classifier.

    ```
    y = relu(x + h a(f(x), x) * f(x))        identity shortcut: a step of size h times a gate a
    y = relu(P x + a(f(x), P x) * f(x))      first block of a stage that changes channels or size
    ```

    f is convolution, normalisation, relu, ..., normalisation; nothing follows the addition but
    the relu (post-activation). Stages have `width`, 2 `width` and 4 `width` planes, four times as
    many channels with bottlenecks; the second and the third halve the image. ResNet-164 has n =
    18 and 1,704,154 trainable weights for 10 classes. Convolutions have no bias and start as
    N(0, 2 / (k^2 C_out)); normalisation has epsilon 1e-5 and momentum 0.9.

    Every block is one step of an ODE solver. With `solver="euler"` the blocks are additions in
    the graph, and `stiffness.neural_stiffness_index` works on the model. With any other solver an
    identity block is one step of it along the gated branch, an `ODEBlock`. The weights are the
    same in the same order, so a trained network can change its solver or step size:
    `other.set_weights(model.get_weights())`.

    Args:
        depth: int, 9 n + 2 with bottlenecks, 6 n + 2 with basic blocks. Defaults to `20`.
        attention: what gates the branches: what `attention.get` takes, such as
            `"squeeze_excite"`, `"stepnet"` (a reconstruction), a layer or a class of your own; or
            `None`. A layer whose `call` has an argument `shortcut` gets the state too. Defaults
            to `None`.
        num_classes: int. Defaults to `10`.
        block: `"bottleneck"` or `"basic"`. Defaults to `"bottleneck"`.
        width: int, planes of the first stage. Defaults to `16`.
        attention_blocks: a bool for each of the 3 n blocks, whether it gets attention. Defaults to
            `None`, all.
        solver: what `ode.get` takes; of identity blocks. Defaults to `"euler"`.
        step_size: float h, likewise. Defaults to `1.0`.
        input_shape: shape of an image. Defaults to `(32, 32, 3)`; give `(3, 32, 32)` where Keras
            is configured for channels first.
        classifier_activation: what `keras.layers.Dense` takes; `None` for logits. Computed in
            float32 under a half-precision policy. Defaults to `"softmax"`.
        name: str. Defaults to `"cifar_resnet"`.

    Returns:
        Functional `keras.Model`; blocks are called `stage1_block1` and so on.

    Raises:
        ValueError: for an unusable depth, block or mask.
        TypeError: where `attention` makes no layer.

    Example:
    >>> model = cifar_resnet(depth=20, attention="stepnet", width=4, input_shape=(8, 8, 1))
    >>> tuple(model(keras.ops.ones((2, 8, 8, 1))).shape)
    (2, 10)

    Reference: K. He et al., *Deep Residual Learning for Image Recognition*, CVPR 2016, section
    4.2; the bottleneck form is that of later works on CIFAR.
    """
    blocks = _blocks_per_stage(depth, block)
    gates = _gates(attention, attention_blocks, STAGES * blocks)
    maker = BlockMaker(block == "bottleneck", solver, step_size)
    inputs = keras.Input(input_shape, name="image")
    x = norm(conv(inputs, width, 3, name="stem"), name="stem_bn")
    x = layers.ReLU(name="stem_relu")(x)
    for stage in range(STAGES):
        for i in range(blocks):
            strides = 2 if stage > 0 and i == 0 else 1
            label = f"stage{stage + 1}_block{i + 1}"
            x = maker.block(x, width * 2**stage, strides, gates[stage * blocks + i], label)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    dtype = keras.backend.result_type(keras.config.dtype_policy().compute_dtype, "float32")
    head = layers.Dense(num_classes, classifier_activation, name="head", dtype=dtype)
    return keras.Model(inputs, head(x), name=name)


def _blocks_per_stage(depth, block):
    if block not in CONVOLUTIONS:
        raise ValueError(f"`block` must be one of {tuple(CONVOLUTIONS)}. Received: block={block!r}")
    step = STAGES * CONVOLUTIONS[block]
    whole = isinstance(depth, int) and not isinstance(depth, bool)
    if not whole or depth < step + 2 or (depth - 2) % step:
        near = [step * n + 2 for n in (1, 2, 3, 9, 18)]
        raise ValueError(
            f"`depth` must be {step} n + 2 with {block} blocks, such as {near}. "
            f"Received: depth={depth!r}"
        )
    return (depth - 2) // step


def _gates(attention, mask, total):
    if mask is None:
        return [attention] * total
    mask = list(mask)
    if len(mask) != total or not all(flag in (False, True) for flag in mask):
        raise ValueError(
            f"`attention_blocks` must be a bool for each of the {total} blocks. "
            f"Received: {len(mask)} values, {mask}"
        )
    if attention is None:
        raise ValueError("`attention_blocks` needs an `attention` to place. Received: None")
    return [attention if flag else None for flag in mask]
