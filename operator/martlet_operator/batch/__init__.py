"""Runs that end: preflight, then the work. Shared by FineTuneJob, EvalRun and QuantizedModel."""
