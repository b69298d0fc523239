"""What the benchmarks share: paired repetitions, tables and results, a daemon, a bare pipeline."""
