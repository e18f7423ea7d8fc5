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
def site_kernel(x, m, y, order, first, count, m_begin, m_adapter, outputs_of, y_begin, scaling, depth, x_slice, x_row, y_row, row_blocks,
                SPLIT: tl.constexpr, ROWS: tl.constexpr, OUTPUTS: tl.constexpr, DEPTH: tl.constexpr, EXPANDS: tl.constexpr, WIDE: tl.constexpr):
    """y[begin of the slice][row][output] += x[slice][row] · m[slice][adapter][output], each slice with its own number of outputs. A shrink adds
    one part of the depth to float32 (stores it where there is one part); an expand scales all of it and adds it to bfloat16."""
    part = tl.program_id(0) % SPLIT
    row_block = tl.program_id(0) // SPLIT % row_blocks
    output_block = tl.program_id(0) // SPLIT // row_blocks
    which, adapter = tl.program_id(1), tl.program_id(2)
    rows, width = tl.load(count + adapter), tl.load(outputs_of + which)
    if row_block * ROWS >= rows:
        return
    if output_block * OUTPUTS >= width:
        return
    in_adapter = row_block * ROWS + tl.arange(0, ROWS)
    has_row = in_adapter < rows
    row = tl.load(order + tl.load(first + adapter) + in_adapter, mask=has_row, other=0)
    outputs = output_block * OUTPUTS + tl.arange(0, OUTPUTS)
    has_output = outputs < width
    matrix = m + tl.load(m_begin + which) + adapter * tl.load(m_adapter + which)
    sums = tl.zeros((ROWS, OUTPUTS), dtype=tl.float32)
    for begin in range(0, depth, DEPTH * SPLIT):
        k = begin + part * DEPTH + tl.arange(0, DEPTH)
        has = k < depth
        xs = tl.load(x + which * x_slice + row[:, None] * x_row + k[None, :], mask=has_row[:, None] & has[None, :], other=0.0)
        ms = tl.load(matrix + outputs[None, :] * depth + k[:, None], mask=has_output[None, :] & has[:, None], other=0.0)
        sums += product(xs.to(tl.bfloat16), ms, WIDE)
    keep = has_row[:, None] & has_output[None, :]
    to = y + tl.load(y_begin + which) + row[:, None] * y_row + outputs[None, :]
    if EXPANDS:
        sums *= tl.load(scaling + adapter)
        tl.store(to, (tl.load(to, mask=keep, other=0.0).to(tl.float32) + sums).to(tl.bfloat16), mask=keep)
    elif SPLIT == 1:
        tl.store(to, sums, mask=keep)
    else:
        tl.atomic_add(to, sums, mask=keep)


class Slices:
    """Where the matrices of the slices of one product lie in `matrices`, and where their outputs do."""

    def __init__(self, matrices, begins, adapter_strides, outputs, y_begins):
        def table(values, dtype):
            return torch.tensor(values, dtype=dtype, device=matrices.device)

        self.matrices, self.count, self.widest = matrices, len(outputs), max(outputs)
        self.begins, self.strides = table(begins, torch.int64), table(adapter_strides, torch.int64)
        self.outputs, self.y_begins = table(outputs, torch.int32), table(y_begins, torch.int64)


def begins_of(sizes):
    return [sum(sizes[:i]) for i in range(len(sizes))]


def blocks(rows):
    """How much a program computes, by the rows of the step."""
    few = rows < 128
    split = 3 if INTERPRETED else 64 if few else 8
    return {"split": split, "shrink_rows": 32, "depth": 256 if few else 32, "expand_rows": 16 if few else 64, "outputs": 128}


class TritonLora:
    """Adapters of one site for steps of fixed rows. `a` is [adapters, slices, rank, depth], `b` holds per slice [adapters, width, rank]."""

    name = "triton"

    def __init__(self, site, a, b, deal, scaling):
        self.deal, self.rank, self.depth, slices = deal, a.shape[2], site.depth, len(site.outputs)
        device, ranks, each = a.device, [a.shape[2]] * slices, a.shape[2] * site.depth
        self.u = torch.zeros((slices, deal.rows, self.rank), dtype=torch.float32, device=device)
        self.shrinks = Slices(a.contiguous().reshape(-1), begins_of([each] * slices), [slices * each] * slices, ranks,
                              begins_of([deal.rows * self.rank] * slices))
        self.expands = Slices(torch.cat([part.reshape(-1) for part in b]), begins_of([part.numel() for part in b]),
                              [width * self.rank for width in site.outputs], site.outputs, begins_of(site.outputs))
        self.scaling = torch.full((deal.adapters,), scaling, dtype=torch.float32, device=device)
        self.blocks = blocks(deal.rows)

    def launch(self, slices, x, x_slice, y, split, rows, outputs, depth, deep, expands):
        d = self.deal
        row_blocks = triton.cdiv(d.most, rows)
        grid = (split * row_blocks * triton.cdiv(slices.widest, outputs), slices.count, d.adapters)
        site_kernel[grid](x, slices.matrices, y, d.order, d.first, d.count, slices.begins, slices.strides, slices.outputs, slices.y_begins,
                          self.scaling, deep, x_slice, x.stride(-2), y.stride(-2), row_blocks, SPLIT=split, ROWS=rows, OUTPUTS=outputs,
                          DEPTH=depth, EXPANDS=expands, WIDE=INTERPRETED)

    def shrink(self, x):
        k = self.blocks
        self.u.zero_()
        self.launch(self.shrinks, x, 0, self.u, k["split"], k["shrink_rows"], 16, k["depth"], self.depth, False)

    def expand(self, y):
        k = self.blocks
        self.launch(self.expands, self.u, self.u.stride(0), y, 1, k["expand_rows"], k["outputs"], 16, self.rank, True)

    def add(self, x, y):
        self.shrink(x)
        self.expand(y)
