"""The only place where the operator talks to Kubernetes."""
