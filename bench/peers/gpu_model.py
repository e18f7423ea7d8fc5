"""The shape of the bench as a plain torch model with random weights: what torch does eagerly, and in CUDA graphs."""

import torch
import torch.nn.functional as F


def normal(shape, device):
    return torch.randn(shape, device=device, dtype=torch.float32).mul_(0.02).to(torch.bfloat16)


def norm(x, weight):
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)).to(torch.bfloat16) * weight


def turned(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Model:
    """Layers over rows. `loras` maps (layer, site) to what adds to a site's outputs."""

    def __init__(self, shape, device):
        self.shape, self.device = shape, device
        self.layers = [{site.name: normal((site.width, site.depth), device) for site in shape.sites} for _ in range(shape.layers)]
        self.embedding, self.head = (normal((shape.vocab, shape.hidden), device) for _ in range(2))
        self.weight = torch.ones(shape.hidden, dtype=torch.bfloat16, device=device)
        self.frequencies = 10000.0 ** (-torch.arange(0, shape.head_dim, 2, device=device) / shape.head_dim)
        self.loras = {}

    def linear(self, layer, name, x):
        y = F.linear(x, self.layers[layer][name])
        if lora := self.loras.get((layer, name)):
            lora.add(x, y)
        return y

    def heads(self, qkv, positions):
        """q, k, v as [rows, heads, head_dim], q and k turned."""
        s = self.shape
        q, k, v = qkv.split([s.heads * s.head_dim, s.kv_heads * s.head_dim, s.kv_heads * s.head_dim], -1)
        angles = positions[:, None] * self.frequencies
        cos, sin = angles.cos().to(torch.bfloat16)[:, None], angles.sin().to(torch.bfloat16)[:, None]
        q, k, v = (t.unflatten(-1, (-1, s.head_dim)) for t in (q, k, v))
        return turned(q, cos, sin), turned(k, cos, sin), v

    def forward(self, tokens, positions, attend):
        """The token after each row that `attend.read` picks."""
        s = self.shape
        x = self.embedding[tokens]
        for layer in range(s.layers):
            q, k, v = self.heads(self.linear(layer, "qkv", norm(x, self.weight)), positions)
            x = x + self.linear(layer, "o", attend(layer, q, k, v))
            gate, up = self.linear(layer, "gate_up", norm(x, self.weight)).chunk(2, -1)
            x = x + self.linear(layer, "down", F.silu(gate) * up)
        return F.linear(norm(attend.read(x), self.weight), self.head).argmax(-1)


class Decode:
    """One row for each of `rows` sequences that have `context` tokens behind them."""

    def __init__(self, model, rows, context):
        s = model.shape
        self.model, self.context = model, context
        self.kv = [normal((2, rows, s.kv_heads, context + 1, s.head_dim), model.device) for _ in range(s.layers)]
        self.tokens = torch.arange(rows, device=model.device) % s.vocab
        self.positions = torch.full((rows,), context, device=model.device)

    def __call__(self, layer, q, k, v):
        self.kv[layer][0][:, :, self.context] = k
        self.kv[layer][1][:, :, self.context] = v
        y = F.scaled_dot_product_attention(q[:, :, None], self.kv[layer][0], self.kv[layer][1], enable_gqa=True)
        return y.squeeze(2).flatten(1)

    def read(self, x):
        return x

    def step(self):
        self.tokens.copy_(self.model.forward(self.tokens, self.positions, self))


class Prompts:
    """`count` prompts of `rows` tokens each."""

    def __init__(self, model, count, rows):
        self.model, self.count = model, count
        self.tokens = torch.arange(count * rows, device=model.device) % model.shape.vocab
        self.positions = torch.arange(rows, device=model.device).repeat(count)

    def __call__(self, layer, q, k, v):
        q, k, v = (t.unflatten(0, (self.count, -1)).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return y.transpose(1, 2).flatten(2).flatten(0, 1)

    def read(self, x):
        return x.unflatten(0, (self.count, -1))[:, -1]

    def step(self):
        return self.model.forward(self.tokens, self.positions, self)
