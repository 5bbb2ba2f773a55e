"""What the benchmarks share: CLIPs of random weights, made-up data, the plain path, memory, timing, tables."""
