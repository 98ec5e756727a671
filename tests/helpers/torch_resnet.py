"""Copies the weights of `cifar_resnet` into the same network in PyTorch."""

import numpy as np
import torch

from benchmarks.attention.torch_resnet import ResNet


def twin(model, blocks, width, kind):
    """The PyTorch network with the weights of a Keras model without attention."""
    net = ResNet((blocks,) * 3, width, kind)
    _conv(net.stem, model.get_layer("stem"))
    _norm(net.norm, model.get_layer("stem_bn"))
    for name, block in zip(net.names, net.blocks, strict=True):
        for i, (conv, norm) in enumerate(zip(block.convs, block.norms, strict=True), start=1):
            _conv(conv, model.get_layer(f"{name}_conv{i}"))
            _norm(norm, model.get_layer(f"{name}_bn{i}"))
        if block.shortcut is not None:
            _conv(block.shortcut, model.get_layer(f"{name}_shortcut"))
            _norm(block.shortcut_norm, model.get_layer(f"{name}_shortcut_bn"))
    kernel, bias = model.get_layer("head").get_weights()
    _copy(net.head.weight, np.ascontiguousarray(kernel.T))
    _copy(net.head.bias, bias)
    return net


def _copy(parameter, array):
    assert tuple(parameter.shape) == array.shape
    parameter.data = torch.tensor(array)


def _conv(conv, layer):
    kernel = np.asarray(layer.get_weights()[0])
    _copy(conv.weight, np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))


def _norm(norm, layer):
    for name, array in zip(
        ("weight", "bias", "running_mean", "running_var"), layer.get_weights(), strict=True
    ):
        _copy(getattr(norm, name), array)
