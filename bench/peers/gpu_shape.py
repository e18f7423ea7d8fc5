"""A model's sizes, and what the cases vary: the same as in bench/gpu/shape.cpp and bench/gpu/suite_sizes.cpp."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Site:
    """Projections that read the same input: one product of the base, one shrink, one expand of slices."""

    name: str
    depth: int
    outputs: tuple

    @property
    def width(self):
        return sum(self.outputs)


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int

    @property
    def sites(self):
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return (Site("qkv", self.hidden, (q, kv, kv)), Site("o", q, (self.hidden,)),
                Site("gate_up", self.hidden, (self.ffn, self.ffn)), Site("down", self.ffn, (self.hidden,)))


@dataclasses.dataclass(frozen=True)
class Sizes:
    context: int = 512
    decode_rows: tuple = (1, 8, 32, 64, 128)
    prompts: tuple = (512, 2048, 8192)
    rows: int = 32
    ranks: tuple = (16, 8, 64)
    adapters: tuple = (1, 8, 32)
    rank: int = 16
    adapted_prompts: tuple = (512, 2048)
    prompt_adapters: tuple = (1, 8)
    kernel_rows: tuple = (1, 8, 32, 128, 512, 2048, 8192)
    kernel_ranks: tuple = (16, 8, 64, 32, 128)
    kernel_adapters: tuple = (1, 32)


SHAPES = {"mistral-7b": (Shape("mistral-7b", 32, 4096, 32, 8, 128, 14336, 32000), Sizes()),
          "tiny": (Shape("tiny", 2, 64, 4, 2, 16, 96, 160),
                   Sizes(12, (1, 3), (5, 18), 4, (2, 4), (1, 4), 4, (8,), (1, 2), (1, 3, 40), (4,), (1, 3)))}
