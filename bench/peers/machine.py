"""What others do to the machine while something is measured, and what machine it is."""

import os
import platform
import time

TICKS = os.sysconf("SC_CLK_TCK")


def _machine():
    with open("/proc/stat") as file:
        jiffies = [int(n) for n in file.readline().split()[1:9]]
    return (sum(jiffies) - jiffies[3] - jiffies[4]) / TICKS, jiffies[7] / TICKS


def _tree_seconds(process):
    """Processor seconds of a process, its threads, what it waited for, and what still runs below it."""
    stats = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    after = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            stats[int(name)] = (int(after[1]), sum(map(int, after[11:15])) / TICKS)
    family = {process}
    while True:
        more = {pid for pid, (parent, _) in stats.items() if parent in family} - family
        if not more:
            return sum(stats[pid][1] for pid in family if pid in stats)
        family |= more


class Watch:
    """From its construction on; everything below this process is part of the measurement, the rest is foreign."""

    def __init__(self):
        self.start, self.own = time.perf_counter(), _tree_seconds(os.getpid())
        self.busy, self.steal = _machine()

    def told(self):
        """Shares of all cores: (foreign, steal)."""
        busy, steal = _machine()
        whole = (time.perf_counter() - self.start) * os.cpu_count()
        foreign = busy - self.busy - (_tree_seconds(os.getpid()) - self.own)
        return max(0.0, foreign / whole), (steal - self.steal) / whole


def about():
    with open("/proc/cpuinfo") as file:
        processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) * 1024
    return {"processor": processor, "processors": os.cpu_count(), "memory_bytes": memory, "system": platform.platform()}
