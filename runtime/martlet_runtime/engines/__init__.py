"""What engines can load, where."""
