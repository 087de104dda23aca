"""The whole loop, shown on a shop that does not exist: `make demo-loop`."""
