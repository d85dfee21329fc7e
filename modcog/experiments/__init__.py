"""Experiments on networks: sweeps of training runs, the paper's claims, and the benchmark."""
