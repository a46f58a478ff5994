"""The event log: a searchable copy of every event, for those who operate the system."""
