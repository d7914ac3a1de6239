"""Scoring: EvalScope asks the engine beside it, and the answers are judged."""
