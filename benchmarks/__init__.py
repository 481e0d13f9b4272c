"""How fast the series is: `python -m benchmarks.NAME`."""
