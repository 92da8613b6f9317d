#!/usr/bin/env python3
"""Adapter folders go both ways between this library and PEFT.

usage: adapters.py EXCHANGE_ADAPTER MNIST_LORA      the programs; the packages of requirements.txt must be importable

For each kind of adapter PEFT writes a folder; the library must read the same logits from it. The library changes every number and writes
a folder of its own, of which PEFT must make the same logits as the library. Convolutions have strides and paddings; batch normalisations
are saved whole or left to the base.
"""
import pathlib
import subprocess
import sys
import tempfile

import peft
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"))
import torch_step  # noqa: E402

TOLERANCE = 1e-4  # f32 sums of up to 3136 products in another order; logits are of the order of 1
FC = ["fc1", "fc2", "fc3"]
CNN = ["conv1", "conv2", "fc1", "fc2"]
RESNET = ["stem", "conv1", "conv2", "short.0", "fc"]
CASES = [
    ("mlp", "lora", dict(target_modules=FC)),
    ("mlp", "rslora", dict(target_modules=FC, use_rslora=True)),
    ("mlp", "dora", dict(target_modules=FC, use_dora=True)),
    ("mlp", "all-linear, without fc2", dict(target_modules="all-linear", exclude_modules=["fc2"])),
    ("mlp", "a regular expression", dict(target_modules="fc[13]")),
    ("mlp", "bias of adapted layers", dict(target_modules=["fc1", "fc2"], bias="lora_only")),
    ("mlp", "all biases", dict(target_modules=["fc1", "fc2"], bias="all")),
    ("mlp", "patterns", dict(target_modules=FC, rank_pattern={"fc2": 2, "fc3": 6}, alpha_pattern={"fc1": 3, "fc2": 1.5})),
    ("mlp", "patterns, rslora and dora", dict(target_modules=FC, rank_pattern={"fc[12]": 3}, use_rslora=True, use_dora=True)),
    ("mlp", "a module saved whole", dict(target_modules=["fc1", "fc2"], modules_to_save=["fc3"])),
    ("mlp", "all biases and a module", dict(target_modules=["fc1"], bias="all", modules_to_save=["fc3"])),
    ("cnn", "lora", dict(target_modules=CNN)),
    ("cnn", "dora", dict(target_modules=CNN, use_dora=True)),
    ("cnn", "dora with biases", dict(target_modules=CNN, use_dora=True, bias="lora_only")),
    ("cnn", "a convolution saved whole", dict(target_modules=["fc1", "fc2"], modules_to_save=["conv2"])),
    ("resnet20", "lora, stride 2", dict(target_modules=RESNET)),
    ("resnet20", "dora, stride 2", dict(target_modules=RESNET, use_dora=True)),
    ("resnet20", "all biases, of normalisations too", dict(target_modules=RESNET, bias="all")),
    ("resnet20", "normalisations saved whole", dict(target_modules=["stem", "conv1", "conv2"], modules_to_save=["bn", "bn1", "fc"])),
]


def moved(tensor, scale):
    return tensor + scale * torch.randn_like(tensor) if tensor.is_floating_point() else tensor


def base_model(name):
    """With statistics that differ from 0 and 1."""
    torch.manual_seed(7)
    model = torch_step.MODELS[name]()
    for key, buffer in model.named_buffers():
        if key.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        if key.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    return model.eval()


def write_theirs(model, config, folder):
    """Adapts the model with numbers of its own, and saves it."""
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, lora_alpha=8, **config)).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(moved(parameter, 0.05))
        for name, buffer in adapted.named_buffers():
            if ".modules_to_save." in name:
                buffer.copy_(moved(buffer, 0.05).abs() if buffer.is_floating_point() else buffer + 3)
    adapted.save_pretrained(folder)
    return adapted


def check(what, found, expected, base):
    difference, change = (found - expected).abs().max().item(), (expected - base).abs().max().item()
    good = difference <= TOLERANCE and change > 100 * TOLERANCE
    print(f"{'ok ' if good else 'BAD'} {what}: logits differ by {difference:.1e} (the adapter changes them by {change:.1e})")
    return good


def exchange(program, model_name, what, config, x, folder):
    folder.mkdir()
    base = base_model(model_name)
    save_file({key: value.contiguous() for key, value in base.state_dict().items()}, folder / "model.safetensors")
    save_file({"x": x}, folder / "x.safetensors")
    with torch.no_grad():
        base_logits = base(x)
        theirs = write_theirs(base, config, folder / "theirs")(x)
    subprocess.run([program, model_name, folder / "model.safetensors", folder / "theirs", folder / "x.safetensors", folder / "ours"],
                   check=True)
    read = load_file(folder / "ours" / "read.safetensors")["logits"]
    written = load_file(folder / "ours" / "written.safetensors")["logits"]
    with torch.no_grad():
        again = peft.PeftModel.from_pretrained(base_model(model_name), folder / "ours" / "adapter").eval()(x)
    right = check(f"PEFT to lora_core, {model_name}, {what}", read, theirs, base_logits)
    return check(f"lora_core to PEFT, {model_name}, {what}", again, written, base_logits) and right


def predict(program, folder):
    """The program reads what exchange() left in a folder."""
    subprocess.run([program, "predict", "--model", "cnn", "--weights", folder / "model.safetensors", "--adapter", folder / "theirs",
                    "--input", folder / "x.safetensors", "--output", folder / "y.safetensors", "--quiet"], check=True)
    return torch.equal(load_file(folder / "y.safetensors")["logits"], load_file(folder / "ours" / "read.safetensors")["logits"])


def main():
    program, mnist_lora = (pathlib.Path(name).resolve() for name in sys.argv[1:3])
    torch.manual_seed(1)
    x, right = torch.randn(8, 1, 28, 28), True
    with tempfile.TemporaryDirectory() as name:
        for i, (model, what, config) in enumerate(CASES):
            right &= exchange(program, model, what, config, x, pathlib.Path(name) / str(i))
            if (model, what) == ("cnn", "dora"):
                right &= predict(mnist_lora, pathlib.Path(name) / str(i))
    print("all agree" if right else "some differ")
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
