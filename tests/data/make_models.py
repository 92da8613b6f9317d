#!/usr/bin/env python3
"""Writes model_cnn, model_vgg and model_resnet.safetensors: logits of the peer's models (bench/peers/torch_step.py) with small widths.

    python3 make_models.py        # PyTorch 2.15 made the files that are here
"""
import os
import sys

import torch
from safetensors.torch import save_file
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench", "peers"))
import torch_step as peer  # noqa: E402

torch.manual_seed(1)


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def small_cnn():
    """Two channels of 9 x 6 pixels, which pooling does not halve evenly."""
    model = peer.CNN()
    model.conv1, model.conv2 = conv(2, 3), conv(3, 4)
    model.fc1, model.fc2 = nn.Linear(4 * 2 * 1, 5), nn.Linear(5, 3)
    return model, torch.randn(4, 2, 9, 6)


def small_vgg():
    model = peer.VGG()
    model.conv1, model.conv2, model.conv3, model.conv4 = conv(1, 2), conv(2, 3), conv(3, 4), conv(4, 5)
    model.fc1, model.fc2 = nn.Linear(5, 6), nn.Linear(6, 10)
    return model, torch.randn(4, 1, 12, 12)


def small_resnet():
    model = peer.ResNet((3, 4, 5), 2)
    model.stem, model.fc = nn.Conv2d(2, 3, 3, 1, 1, bias=False), nn.Linear(5, 3)
    for name, tensor in model.state_dict().items():  # else normalisation starts as the identity
        if "bn" in name or "short.1" in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5 if tensor.is_floating_point() else torch.full_like(tensor, 7))
    return model, torch.randn(4, 2, 9, 6)


for name, make in {"cnn": small_cnn, "vgg": small_vgg, "resnet": small_resnet}.items():
    model, x = make()
    tensors = {f"state.{key}": value.clone() for key, value in model.state_dict().items()}
    tensors.update({"x": x, "eval": model.eval()(x).detach(), "train": model.train()(x).detach()})
    save_file(tensors, os.path.join(HERE, f"model_{name}.safetensors"))
