"""The services, each a folder of its own that knows nothing of the others."""
