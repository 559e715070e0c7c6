"""How many threads the arithmetic on a CPU gets."""

import os


def default_threads() -> int:
    """All cores but one, which HTTP and the clients need. Torch's threads wait for each other by spinning: with one more
    thread than free cores, 1,200 answers took 43 s of CPU time in place of 9 s (two busy cores)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)
