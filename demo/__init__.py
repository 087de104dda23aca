"""The feedback loop, demonstrated on a made-up shop: `make demo-loop`."""
