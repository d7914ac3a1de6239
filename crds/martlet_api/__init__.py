"""The API of Martlet: the four kinds as pydantic classes, and the contract with the pods.

Nothing here imports the operator or the runtime; both import this.
"""

GROUP = "martlet.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
