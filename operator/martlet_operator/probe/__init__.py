"""The user's prompts, asked of both revisions of a rollout, and what their answers are worth."""
