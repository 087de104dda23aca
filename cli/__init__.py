"""The command line `aisle`."""
