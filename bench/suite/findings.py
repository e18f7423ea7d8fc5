"""Single figures that the suite asks for, each with what was wanted of it, and the arithmetic behind them."""


def finding(case, what, value, unit, wanted=None, noise=0.0):
    """`wanted` is (">=" or "<=", bound) in the same unit; `noise` is the share of the machine that others used where no run was quiet."""
    met = None if wanted is None else (value >= wanted[1] if wanted[0] == ">=" else value <= wanted[1])
    return {"case": case, "what": what, "value": value, "unit": unit, "wanted": wanted and list(wanted), "met": met, "noise": noise}


def noise_of(*summaries):
    """The largest share of others among arms without a quiet run; 0 where all had one."""
    return max((s["foreign"] for s in summaries if not s["accepted"]), default=0.0)


def jain(shares):
    """Jain's index of fairness: 1 when all have the same, 1/n when one has everything; 1 of nothing."""
    squares = sum(s * s for s in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def quantile(values, share):
    """Linear between the two nearest ranks, as numpy.percentile; 0 of nothing."""
    if not values:
        return 0.0
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = int(place)
    return ranked[low] + (ranked[min(low + 1, len(ranked) - 1)] - ranked[low]) * (place - low)
