"""The one loop: a queue of keys, a snapshot, a pure decision, and what is written of it."""
