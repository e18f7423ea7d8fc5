"""Adapters of one site by plain torch: module by module and adapter by adapter as PEFT does, and padded batched products."""

import torch


class Deal:
    """Rows in equal shares for neighbouring adapters, as bench/gpu/step_maker.cpp deals them."""

    def __init__(self, rows, adapters, device):
        self.rows, self.adapters = rows, adapters
        of_row = [r * adapters // rows for r in range(rows)]
        counts = [of_row.count(a) for a in range(adapters)]
        self.most = max(counts)
        self.counts, self.firsts = counts, [sum(counts[:a]) for a in range(adapters)]
        self.order = torch.arange(rows, dtype=torch.int32, device=device)
        self.first = torch.tensor(self.firsts, dtype=torch.int32, device=device)
        self.count = torch.tensor(counts, dtype=torch.int32, device=device)
        self.indices = [torch.arange(f, f + c, device=device) for f, c in zip(self.firsts, counts)]
        places = torch.full((adapters, self.most), rows, dtype=torch.int64)
        for a, (f, c) in enumerate(zip(self.firsts, counts)):
            places[a, :c] = torch.arange(f, f + c)
        self.places = places.to(device)  # [adapters, most]; `rows`: nobody


def random_adapters(site, adapters, rank, device, seed):
    """A as [adapters, slices, rank, depth] and B per slice as [adapters, width, rank], bfloat16, as random as the bench's own."""
    g = torch.Generator(device=device).manual_seed(seed)

    def normal(*shape):
        return (torch.randn(shape, generator=g, device=device) * 0.02).to(torch.bfloat16)

    return normal(adapters, len(site.outputs), rank, site.depth), [normal(adapters, width, rank) for width in site.outputs]


def errors(maker, site, rows, adapters, rank, device):
    """How far y is from x Aᵀ Bᵀ in float64: the largest distance in units of what rounding to bfloat16 allows, at most 1 where it is right."""
    deal, scaling = Deal(rows, adapters, device), 2.0
    a, b = random_adapters(site, adapters, rank, device, 5)
    a, b = a * 20, [part * 20 for part in b]
    x, y = (torch.randn((rows, width), device=device).to(torch.bfloat16) for width in (site.depth, site.width))
    wanted, sizes, begin = y.double(), y.double().abs(), 0
    for which, width in enumerate(site.outputs):
        for adapter, of in enumerate(deal.indices):
            low, more = x[of].double() @ a[adapter, which].double().T, b[which][adapter].double().T
            wanted[of, begin:begin + width] += scaling * (low @ more)
            sizes[of, begin:begin + width] += scaling * (low.abs() @ more.abs())
        begin += width
    maker(site, a, b, deal, scaling).add(x, y)
    # Inputs, sums and results are rounded to 8 bits each.
    return ((y.double() - wanted).abs() / (4 * 2.0**-8 * sizes)).max().item()


class LoopLora:
    """For each projection and each adapter: its rows out, two products, and back."""

    name = "loop"

    def __init__(self, site, a, b, deal, scaling):
        self.site, self.a, self.b, self.deal, self.scaling = site, a, b, deal, scaling

    def add(self, x, y):
        begin = 0
        for which, width in enumerate(self.site.outputs):
            out = y[:, begin:begin + width]
            for adapter, rows in enumerate(self.deal.indices):
                low = x[rows] @ self.a[adapter, which].T
                out[rows] += (low @ self.b[which][adapter].T) * self.scaling
            begin += width


class BmmLora:
    """All adapters in two batched products per projection, ranks padded to the largest that a server would be set up for, rows to the
    adapter that has most."""

    name = "bmm"

    def __init__(self, site, a, b, deal, scaling, padded_rank):
        rank = a.shape[2]
        self.site, self.deal, self.scaling = site, deal, scaling
        more = max(padded_rank, rank) - rank
        self.a = torch.nn.functional.pad(a, (0, 0, 0, more)).transpose(2, 3).contiguous()
        self.b = [torch.nn.functional.pad(part, (0, more)).transpose(1, 2).contiguous() for part in b]

    def low(self, x):
        gathered = torch.cat([x, x.new_zeros(1, x.shape[1])])[self.deal.places]
        return [torch.bmm(gathered, self.a[:, which]) for which in range(len(self.site.outputs))]

    def add(self, x, y):
        begin, places = 0, self.deal.places.reshape(-1)
        for which, low in enumerate(self.low(x)):
            width = self.site.outputs[which]
            more = torch.bmm(low, self.b[which]).reshape(-1, width) * self.scaling
            padded = torch.cat([y[:, begin:begin + width], y.new_zeros(1, width)])
            y[:, begin:begin + width] = padded.index_add_(0, places, more)[:-1]
            begin += width
