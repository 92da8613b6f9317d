#!/usr/bin/env python3
"""The digit-split experiment end to end in PyTorch + PEFT, as fast as plain eager code goes (data in memory).

    python3 bench/peers/torch_digits.py --data datasets/data/mnist [--threads 2] [--epochs 10] [--seed 0]

784-64-64-10 MLP; base on digits 0-4 (Adam 1e-3, batch 64, 80/20 split); LoRA on all three layers fine-tuned on
digits 5-9 for ranks 1..64 (AdamW 1e-3, alpha = rank), then rank 64 on 0-9. Prints one JSON object.
"""
import argparse, copy, gzip, json, os, struct, time
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from peft import LoraConfig, get_peft_model


class MLP(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 10)
    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


def adapted(model, kind, r, alpha):
    return get_peft_model(model, LoraConfig(r=r, lora_alpha=alpha, target_modules=["fc1", "fc2", "fc3"]))


def idx(path):
    with gzip.open(path) as f:
        magic = f.read(4); dims = struct.unpack(">" + "I" * magic[3], f.read(4 * magic[3]))
        return np.frombuffer(f.read(), np.uint8).reshape(dims)


def split(d, part):
    x = torch.from_numpy(idx(os.path.join(d, f"{part}-images-idx3-ubyte.gz")).copy()).float() / 255
    return ((x - 0.1307) / 0.3081)[:, None], torch.from_numpy(idx(os.path.join(d, f"{part}-labels-idx1-ubyte.gz")).copy()).long()


def pick(x, y, digits):
    m = torch.isin(y, torch.tensor(digits)); return x[m], y[m]


def fit(model, x, y, opt, epochs, batch=64):
    n = int(0.8 * len(x)); perm = torch.randperm(len(x))[:n]
    for _ in range(epochs):
        model.train()
        for i in perm[torch.randperm(n)].split(batch):
            opt.zero_grad(set_to_none=True); F.cross_entropy(model(x[i]), y[i]).backward(); opt.step()


@torch.inference_mode()
def test(model, x, y):
    model.eval(); out = torch.cat([model(b) for b in x.split(1000)])
    return round(100 * (out.argmax(1) == y).float().mean().item(), 2), round(F.cross_entropy(out, y).item(), 4)


def main():
    p = argparse.ArgumentParser(); p.add_argument("--data", required=True); p.add_argument("--threads", type=int, default=2)
    p.add_argument("--epochs", type=int, default=10); p.add_argument("--seed", type=int, default=0); a = p.parse_args()
    torch.set_num_threads(a.threads); torch.manual_seed(a.seed)
    tr, te = split(a.data, "train"), split(a.data, "t10k"); lo, hi = list(range(5)), list(range(5, 10))
    t0 = time.perf_counter(); base = MLP()
    fit(base, *pick(*tr, lo), torch.optim.Adam(base.parameters(), 1e-3), a.epochs)
    res = {"base_on_0-4": test(base, *pick(*te, lo)), "base_on_5-9": test(base, *pick(*te, hi)), "base_seconds": round(time.perf_counter() - t0, 2)}
    for r in (1, 2, 4, 8, 16, 32, 64):
        m = adapted(copy.deepcopy(base), "lora", r, r)
        fit(m, *pick(*tr, hi), torch.optim.AdamW([q for q in m.parameters() if q.requires_grad], 1e-3), a.epochs)
        res[f"lora_r{r}_on_5-9"] = test(m, *pick(*te, hi))
    m = adapted(copy.deepcopy(base), "lora", 64, 64)
    fit(m, *tr, torch.optim.AdamW([q for q in m.parameters() if q.requires_grad], 1e-3), a.epochs)
    res["lora_r64_on_0-9"] = test(m, *te); res["total_seconds"] = round(time.perf_counter() - t0, 2)
    print(json.dumps(res))


if __name__ == "__main__":
    main()
