"""The operator: watches the four kinds and what they own, and makes the world as they ask."""
