"""A real Kubernetes cluster on one bare Debian machine; see README.md beside this file."""
