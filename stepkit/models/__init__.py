"""Networks made of residual blocks: functional Keras models with plain configurations."""

from stepkit.models.cifar_resnet import cifar_resnet

__all__ = ["cifar_resnet"]
