"""Pods: what they are made of (pure builders), and what their status says."""
