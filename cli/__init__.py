"""The command line of Wafd."""
