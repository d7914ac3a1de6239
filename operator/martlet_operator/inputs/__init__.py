"""From what a spec names to what is known of it: references, digests, and the pods' inputs."""
