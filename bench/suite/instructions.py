#!/usr/bin/env python3
"""C-14: the engine with AVX2 beside AVX-512, in turns: one stream, eight with eight adapters, a prefill of 512 tokens."""

import sys

import decode_bench
import session
from findings import finding, noise_of

WORKS = {"C-1": "decode 1", "C-2": "prefill 512", "C-5": "decode 8, 8 adapters"}


def derive(arms):
    if not {"avx512", "avx2"} <= arms.keys():
        return []
    noise, out = noise_of(*arms.values()), []
    for case, work in WORKS.items():
        wide, narrow = (arms[isa]["figures"][f"{work} tok/s"] for isa in ("avx512", "avx2"))
        out.append(finding("C-14", f"{work} with AVX2", narrow, "tok/s", None, noise))
        out.append(finding("C-14", f"{work}: AVX-512 over AVX2 ({case})", wide / narrow, "times", ("<=", 2.0), noise))
    return out


def main():
    parser = session.parser(__doc__, "instructions")
    options = session.read(parser, ["lorica-bench-decode"])
    only = [word for work in WORKS.values() for word in ("--only", work)]
    arms = {isa: lambda isa=isa: decode_bench.figures(decode_bench.run(options, "--isa", isa, *only))
            for isa in ("avx512", "avx2")}
    return session.measure_and_write(options, "instructions", arms, derive)


if __name__ == "__main__":
    sys.exit(main())
