#!/usr/bin/env python3
"""4-bit files go both ways between this library and bitsandbytes.

usage: four_bit.py MNIST_LORA      the program; the packages of requirements.txt must be importable

1. Linear4bit layers of every kind are saved by bitsandbytes; `mnist_lora predict` must give the logits of their expanded weights.
2. A base in 4 bits is written by `mnist_lora train --adapter qlora`; bitsandbytes must expand the same weights, and what its layers write
   again must give `predict` the same logits.
Weights are expanded as flat arrays: bitsandbytes' CPU code is wrong where the last axis is no multiple of the blocksize.
"""
import pathlib
import subprocess
import sys
import tempfile

import bitsandbytes as bnb
import bitsandbytes.functional as functional
import torch
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-4  # sums of 784 products in f32, in another order
LAYERS = ("fc1", "fc2", "fc3")
SIZES = {"fc1": (784, 64), "fc2": (64, 64), "fc3": (64, 10)}


def expand(packed, state):
    """By bitsandbytes' own dequantize, of the flattened weight."""
    shape, state.shape = state.shape, torch.Size([1, state.shape.numel()])
    flat = functional.dequantize_4bit(packed, state).flatten()[: shape.numel()]
    state.shape = shape
    return flat.reshape(shape)


def forward(weights, x):
    h = x.flatten(1)
    for name in LAYERS:
        h = torch.nn.functional.linear(h, weights[f"{name}.weight"], weights[f"{name}.bias"])
        h = torch.relu(h) if name != LAYERS[-1] else h
    return h


def quantized(quant_type, nested, blocksize):
    """A perceptron whose layers are bitsandbytes' own."""
    model = torch.nn.ModuleDict()
    for name, (inputs, outputs) in SIZES.items():
        layer = bnb.nn.Linear4bit(inputs, outputs, compute_dtype=torch.float32, quant_type=quant_type, compress_statistics=nested)
        layer.weight.blocksize = blocksize
        model[name] = layer
    return model.to("cpu")


def weights_of(model):
    weights = {}
    for name in LAYERS:
        weights[f"{name}.weight"] = expand(model[name].weight.data, model[name].weight.quant_state)
        weights[f"{name}.bias"] = model[name].bias.data
    return weights


def predict(program, weights, x, folder):
    save_file({"x": x}, folder / "x.safetensors")
    subprocess.run([program, "predict", "--model", "mlp", "--weights", weights, "--input", folder / "x.safetensors", "--output",
                    folder / "y.safetensors", "--quiet"], check=True)
    return load_file(folder / "y.safetensors")["logits"]


def check(what, found, expected):
    difference = (found - expected).abs().max().item()
    print(f"{'ok ' if difference <= TOLERANCE else 'BAD'} {what}: largest difference of logits {difference:.1e}")
    return difference <= TOLERANCE


def write(model, file):
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, file)


def theirs_to_ours(program, x, folder):
    right = True
    for quant_type in ("nf4", "fp4"):
        for nested in (False, True):
            for blocksize in (64, 128, 512):
                model = quantized(quant_type, nested, blocksize)
                assert model["fc1"].weight.quant_state.blocksize == blocksize
                write(model, folder / "theirs.safetensors")
                kind = f"{quant_type}, blocks of {blocksize}{', scales in 8 bits' if nested else ''}"
                right &= check(f"bitsandbytes to lora_core, {kind}", predict(program, folder / "theirs.safetensors", x, folder),
                               forward(weights_of(model), x))
    return right


def read_by_bitsandbytes(file):
    tensors = load_file(file)
    model = quantized("nf4", True, 64)
    for name in LAYERS:
        prefix = f"{name}.weight."
        statistics = {key: value for key, value in tensors.items() if key.startswith(prefix)}
        model[name].weight = bnb.nn.Params4bit.from_prequantized(tensors[f"{name}.weight"], statistics, device="cpu", module=model[name])
        model[name].bias.data = tensors[f"{name}.bias"]
    return model


def ours_to_theirs(program, x, folder):
    common = ["--model", "mlp", "--limit", "500", "--epochs", "1", "--quiet"]
    subprocess.run([program, "train", *common, "--out", folder / "base"], check=True)
    subprocess.run([program, "train", *common, "--weights", folder / "base" / "base.safetensors", "--adapter", "qlora", "--out",
                    folder / "qlora"], check=True)
    file = folder / "qlora" / "base_4bit.safetensors"
    model, logits = read_by_bitsandbytes(file), predict(program, file, x, folder)
    right = check("lora_core to bitsandbytes", forward(weights_of(model), x), logits)
    write(model, folder / "again.safetensors")
    return check("and back", predict(program, folder / "again.safetensors", x, folder), logits) and right


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    torch.manual_seed(1)
    x = torch.randn(16, 1, 28, 28)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        right = theirs_to_ours(program, x, folder)
        right &= ours_to_theirs(program, x, folder)
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
