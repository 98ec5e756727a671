"""Networks made of residual blocks and ODEs: functional Keras models with plain configurations."""

from stepkit.models.cifar_resnet import cifar_resnet
from stepkit.models.ode_net import ode_net

__all__ = ["cifar_resnet", "ode_net"]
