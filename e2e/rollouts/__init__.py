"""What the tests of rollouts share: requests, faults, a watch, and the picture of what happened."""
