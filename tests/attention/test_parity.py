"""Every channel attention against PyTorch, and the counts of the literature."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from helpers import torch_attention
from stepkit import attention

torch = pytest.importorskip("torch")
RNG = np.random.default_rng()
CHANNELS = 12


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


CASES = {
    "se": (attention.SqueezeExcite, {"reduction": 4}, lambda: torch_attention.SE(CHANNELS, 3)),
    "se without bias": (
        attention.SqueezeExcite,
        {"reduction": 3, "use_bias": False},
        lambda: torch_attention.SE(CHANNELS, 4, bias=False),
    ),
    "se on the state": (
        attention.SqueezeExcite,
        {"reduction": 4, "source": "shortcut"},
        lambda: torch_attention.SE(CHANNELS, 3, source="shortcut"),
    ),
    "eca": (attention.EfficientChannelAttention, {}, lambda: torch_attention.ECA(3)),
    "eca 7": (
        attention.EfficientChannelAttention,
        {"kernel_size": 7},
        lambda: torch_attention.ECA(7),
    ),
    "srm": (attention.StyleRecalibration, {}, lambda: torch_attention.SRM(CHANNELS)),
    "gct": (attention.GatedChannelTransform, {}, lambda: torch_attention.GCT(CHANNELS)),
    "cbam": (
        attention.ConvBlockAttention,
        {"reduction": 4},
        lambda: torch_attention.CBAM(CHANNELS, 3),
    ),
    "constant": (attention.ConstantGate, {}, lambda: torch_attention.Constant(CHANNELS)),
    "pair": (
        attention.StepNetAttention,
        {"reduction": 4},
        lambda: torch_attention.StepNetPair(CHANNELS, 3),
    ),
    "statistics": (
        attention.StepNetAttention,
        {"variant": "statistics"},
        lambda: torch_attention.StepNetStatistics(CHANNELS),
    ),
    "index": (
        attention.StepNetAttention,
        {"variant": "index"},
        lambda: torch_attention.StepNetIndex(CHANNELS),
    ),
}


def both(name):
    """The layer with random weights, and the module with the same."""
    cls, kwargs, make = CASES[name]
    layer, module = cls(data_format="channels_last", **kwargs), make()
    layer.build((None, 6, 5, CHANNELS), (None, 6, 5, CHANNELS))
    for weight in layer.weights:
        if weight.dtype == "float32":
            draw = RNG.normal(size=tuple(weight.shape))
            weight.assign(np.abs(draw) + 0.5 if "variance" in weight.path else draw)
    with torch.no_grad():
        module.load(layer)
    return layer, module


def states():
    """Branch and state with maps of very different sizes, a dead one among them."""
    scale = 10.0 ** RNG.uniform(-2, 1, size=CHANNELS)
    f, x = (scale * RNG.normal(0.3, 1, size=(4, 6, 5, CHANNELS)) for _ in range(2))
    x[..., 0] = 0.0
    return f.astype("float32"), x.astype("float32")


def first(x):
    return torch.tensor(np.ascontiguousarray(np.moveaxis(x, -1, 1)), device="cpu")


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", CASES)
def test_same_answers_as_pytorch(name, training):
    layer, module = both(name)
    f, x = states()
    received = to_numpy(functional(layer)([f, x], training=training))
    module.train(training)
    with torch.no_grad():
        expected = np.moveaxis(module(first(f), first(x)).numpy(), 1, -1)
    np.testing.assert_allclose(received, expected, rtol=2e-4, atol=2e-5)


def functional(layer):
    inputs = [keras.Input((6, 5, CHANNELS)) for _ in range(2)]
    return keras.Model(inputs, layer(*inputs))


@pytest.mark.parametrize("name", CASES)
def test_same_gradient_as_pytorch(name):
    from stepkit.spectra import vjp

    layer, module = both(name)
    f, x = states()
    x += 0.1  # off the corner of a norm at 0, where the two may choose different slopes
    cotangent = RNG.normal(size=f.shape).astype("float32")
    _, pullback = vjp(lambda f, x: layer(f, x), *map(ops.convert_to_tensor, (f, x)))
    received = [to_numpy(g) for g in pullback(ops.convert_to_tensor(cotangent))]
    module.eval()
    inputs = [first(v).requires_grad_() for v in (f, x)]
    torch.autograd.backward(module(*inputs), first(cotangent))
    for got, wanted in zip(received, inputs, strict=True):
        expected = torch.zeros_like(wanted) if wanted.grad is None else wanted.grad
        expected = np.moveaxis(expected.numpy(), 1, -1)
        limit = 2e-3 * np.abs(expected).max() + 1e-6
        np.testing.assert_allclose(got, expected, rtol=2e-3, atol=limit)


@pytest.mark.parametrize("name", CASES)
def test_start_as_pytorch_draws_it(name):
    """Fresh weights of many draws come from one distribution: one failure in a million runs."""
    cls, kwargs, make = CASES[name]
    ours, theirs = {}, {}
    for _ in range(40):
        layer, module = cls(data_format="channels_last", **kwargs), make()
        layer.build((None, 6, 5, CHANNELS), (None, 6, 5, CHANNELS))
        _collect(ours, [to_numpy(w) for w in layer.trainable_weights])
        _collect(theirs, [p.detach().cpu().numpy() for p in module.parameters()])
    assert ours.keys() == theirs.keys()
    for size, values in ours.items():
        a, b = np.concatenate(values), np.concatenate(theirs[size])
        assert stats.ks_2samp(a, b).pvalue > 1e-7, size
        # Six standard errors of the ratio of two deviations, of uniform numbers.
        assert abs(a.std() - b.std()) <= 6 * np.sqrt(0.4 / len(b)) * b.std() + 1e-9, size


def _collect(found, arrays):
    """Groups by size, since the two order their weights differently."""
    for array in arrays:
        found.setdefault(array.size, []).append(array.ravel())
