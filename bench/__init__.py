"""Measures the whole product on a lab of its own, and writes docs/measurements.md."""
