"""The benchmarks, a module each with a `main`; scripts/benchmark.py chooses among them."""
