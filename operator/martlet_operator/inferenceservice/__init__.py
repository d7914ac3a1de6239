"""InferenceService: revisions, the gates before them, the route to them, and what they say."""
