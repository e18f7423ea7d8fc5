"""Shrink and expand in Triton by the published scheme of Punica's and vLLM's servers, written anew: rows sorted by adapter; a grid over row blocks
and adapters whose programs end at once where an adapter has fewer rows; the depth of the shrink split, its parts added by atomics into zeroed
float32; the slices of fused projections in one launch."""

import os

import torch
import triton
import triton.language as tl

# Triton's interpreter, which runs kernels without a card, multiplies no bfloat16; the same products in float32 are exact.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@triton.jit
def product(a, b, WIDE: tl.constexpr):
    if WIDE:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b)


@triton.jit
def shrink_kernel(x, a, u, order, first, count, depth, rank, x_row, a_adapter, a_slice, a_rank, u_slice, u_row,
                  row_blocks, SPLIT: tl.constexpr, ROWS: tl.constexpr, RANKS: tl.constexpr, DEPTH: tl.constexpr, WIDE: tl.constexpr):
    """u[slice][row][rank] += x[row] · a[adapter][slice][rank] over one part of the depth."""
    part = tl.program_id(0) % SPLIT
    row_block = tl.program_id(0) // SPLIT % row_blocks
    rank_block = tl.program_id(0) // SPLIT // row_blocks
    which, adapter = tl.program_id(1), tl.program_id(2)
    rows = tl.load(count + adapter)
    if row_block * ROWS >= rows:
        return
    in_adapter = row_block * ROWS + tl.arange(0, ROWS)
    has_row = in_adapter < rows
    row = tl.load(order + tl.load(first + adapter) + in_adapter, mask=has_row, other=0)
    ranks = rank_block * RANKS + tl.arange(0, RANKS)
    has_rank = ranks < rank
    along = part * DEPTH + tl.arange(0, DEPTH)
    sums = tl.zeros((ROWS, RANKS), dtype=tl.float32)
    for begin in range(0, depth, DEPTH * SPLIT):
        k = begin + along
        has = k < depth
        xs = tl.load(x + row[:, None] * x_row + k[None, :], mask=has_row[:, None] & has[None, :], other=0.0)
        at = a + adapter * a_adapter + which * a_slice + ranks[None, :] * a_rank + k[:, None]
        sums += product(xs, tl.load(at, mask=has_rank[None, :] & has[:, None], other=0.0), WIDE)
    to = u + which * u_slice + row[:, None] * u_row + ranks[None, :]
    keep = has_row[:, None] & has_rank[None, :]
    if SPLIT == 1:
        tl.store(to, sums, mask=keep)
    else:
        tl.atomic_add(to, sums, mask=keep)


@triton.jit
def expand_kernel(u, b, y, order, first, count, b_begin, widths, y_begin, scaling, rank, u_slice, u_row, y_row, row_blocks,
                  ROWS: tl.constexpr, OUTPUTS: tl.constexpr, RANKS: tl.constexpr, WIDE: tl.constexpr):
    """y[row][begin of the slice + output] += scaling of the adapter times u[slice][row] · b[slice][adapter][output]."""
    row_block, output_block = tl.program_id(0) % row_blocks, tl.program_id(0) // row_blocks
    which, adapter = tl.program_id(1), tl.program_id(2)
    rows, width = tl.load(count + adapter), tl.load(widths + which)
    if row_block * ROWS >= rows:
        return
    if output_block * OUTPUTS >= width:
        return
    in_adapter = row_block * ROWS + tl.arange(0, ROWS)
    has_row = in_adapter < rows
    row = tl.load(order + tl.load(first + adapter) + in_adapter, mask=has_row, other=0)
    outputs = output_block * OUTPUTS + tl.arange(0, OUTPUTS)
    has_output = outputs < width
    matrix = b + tl.load(b_begin + which) + adapter.to(tl.int64) * width * rank
    sums = tl.zeros((ROWS, OUTPUTS), dtype=tl.float32)
    for begin in range(0, rank, RANKS):
        ranks = begin + tl.arange(0, RANKS)
        has_rank = ranks < rank
        us = tl.load(u + which * u_slice + row[:, None] * u_row + ranks[None, :], mask=has_row[:, None] & has_rank[None, :], other=0.0)
        bs = tl.load(matrix + outputs[None, :] * rank + ranks[:, None], mask=has_output[None, :] & has_rank[:, None], other=0.0)
        sums += product(us.to(tl.bfloat16), bs, WIDE)
    keep = has_row[:, None] & has_output[None, :]
    to = y + row[:, None] * y_row + tl.load(y_begin + which) + outputs[None, :]
    sums *= tl.load(scaling + adapter)
    tl.store(to, (tl.load(to, mask=keep, other=0.0).to(tl.float32) + sums).to(tl.bfloat16), mask=keep)


def blocks(rows):
    """How much a program computes, by the rows of the step."""
    few = rows < 128
    split = 3 if INTERPRETED else 64 if few else 8
    return {"split": split, "shrink_rows": 32, "depth": 256 if few else 32, "expand_rows": 16 if few else 64, "outputs": 128}


class TritonLora:
    """Adapters of one site for steps of fixed rows. `a` is [adapters, slices, rank, depth], `b` holds per slice [adapters, width, rank]."""

    name = "triton"

    def __init__(self, site, a, b, deal, scaling):
        self.site, self.a, self.deal = site, a.contiguous(), deal
        self.rank, slices = a.shape[2], len(site.outputs)
        device = a.device
        self.b = torch.cat([part.reshape(-1) for part in b])
        self.b_begin = torch.tensor([0, *torch.tensor([part.numel() for part in b]).cumsum(0)[:-1].tolist()], dtype=torch.int64, device=device)
        self.widths = torch.tensor(site.outputs, dtype=torch.int32, device=device)
        self.y_begin = torch.tensor([sum(site.outputs[:i]) for i in range(slices)], dtype=torch.int32, device=device)
        self.scaling = torch.full((deal.adapters,), scaling, dtype=torch.float32, device=device)
        self.u = torch.zeros((slices, deal.rows, self.rank), dtype=torch.float32, device=device)
        self.blocks = blocks(deal.rows)

    def shrink(self, x):
        d, k = self.deal, self.blocks
        self.u.zero_()
        row_blocks, rank_block = triton.cdiv(d.most, k["shrink_rows"]), 16
        grid = (k["split"] * row_blocks * triton.cdiv(self.rank, rank_block), len(self.site.outputs), d.adapters)
        shrink_kernel[grid](x, self.a, self.u, d.order, d.first, d.count, self.site.depth, self.rank, x.stride(0), *self.a.stride()[:3],
                            *self.u.stride()[:2], row_blocks, SPLIT=k["split"], ROWS=k["shrink_rows"], RANKS=rank_block, DEPTH=k["depth"], WIDE=INTERPRETED)

    def expand(self, y):
        d, k = self.deal, self.blocks
        row_blocks = triton.cdiv(d.most, k["expand_rows"])
        grid = (row_blocks * triton.cdiv(max(self.site.outputs), k["outputs"]), len(self.site.outputs), d.adapters)
        expand_kernel[grid](self.u, self.b, y, d.order, d.first, d.count, self.b_begin, self.widths, self.y_begin, self.scaling, self.rank,
                            *self.u.stride()[:2], y.stride(0), row_blocks, ROWS=k["expand_rows"], OUTPUTS=k["outputs"], RANKS=16, WIDE=INTERPRETED)

    def add(self, x, y):
        self.shrink(x)
        self.expand(y)
