"""Quantization: a ladder of rungs, each measured against the full-precision parent."""
