"""Benchmarks: each measures Easel and a peer in the same run and prints the ratio.

There is one file per benchmark, run as `python -m benchmarks.NAME`. Easel and the peer take turns, so a busy machine slows both equally.
Only the ratio of medians counts, never an absolute time. The last line of the output is one JSON object, "ratio" first. Benchmarks may
import any package of Easel, and nothing imports them.
"""
