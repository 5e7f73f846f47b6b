"""Benchmarks: each measures Easel beside a peer in the same run and prints the ratio.

One file per benchmark, run as `python -m benchmarks.NAME`. Ours and the peer take turns, so a busy machine slows both alike;
the ratio of medians is what counts, never a time alone. The last line of the output is one JSON object, "ratio" first. They may
import any package of Easel, and nothing imports them.
"""
