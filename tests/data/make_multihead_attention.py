#!/usr/bin/env python3
"""Writes multihead_attention.safetensors: torch.nn.MultiheadAttention's outputs and gradients, in float64.

    python3 make_multihead_attention.py        # PyTorch 2.15 made the file that is here
"""
import os

import torch
from safetensors.torch import save_file

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
layer = torch.nn.MultiheadAttention(6, 2, batch_first=True)
for parameter in layer.parameters():
    torch.nn.init.normal_(parameter, std=0.5)
tensors = {f"state.{name}": tensor.detach().clone() for name, tensor in layer.state_dict().items()}


def record(case, query, key, value, mask=None):
    layer.zero_grad()
    y = layer(query, key, value, attn_mask=mask, need_weights=False)[0]
    cotangent = torch.randn_like(y)
    y.backward(cotangent)
    tensors.update({f"{case}.y": y.detach(), f"{case}.cotangent": cotangent})
    tensors.update({f"{case}.grad.{name}": p.grad.clone() for name, p in layer.named_parameters()})
    for name, x in {"query": query, "key": key, "value": value}.items():
        tensors.update({f"{case}.{name}": x.detach().clone(), f"{case}.grad.{name}": x.grad.clone()})


x = torch.randn(2, 4, 6, requires_grad=True)
record("self", x, x, x)
query, key, value = (torch.randn(2, n, 6, requires_grad=True) for n in (3, 5, 5))
allowed = torch.tensor([[1, 1, 0, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
tensors["cross.mask"] = allowed
record("cross", query, key, value, ~allowed)
tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "multihead_attention.safetensors"))
