"""The contracts between the services: typed events, by emitter, and nothing else."""
