"""Benchmarks, run by ``python -m benchmarks`` (``make bench``)."""
