"""The command line: options, help, printed results and exit codes.

The work itself does not belong here. A command imports it when it runs, from the library,
`aisle_training` or `aisle_benchmark`, so that `--help` is fast and works without any extra.
"""
