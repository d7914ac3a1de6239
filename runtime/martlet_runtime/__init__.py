"""What runs in Martlet's pods: one flow a container, each reading the plan."""
