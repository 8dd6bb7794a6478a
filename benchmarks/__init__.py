"""Wengert against PyTorch eager and HIPS autograd, in one process run, as ratios. `python -m benchmarks`."""
