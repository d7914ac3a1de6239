"""How one revision takes over from another: a state machine, pure."""
