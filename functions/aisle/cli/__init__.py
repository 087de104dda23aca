"""The command line: what a person types, and what is said to them.

Here belong options, their help, tables and progress, and an exit code for each error. What a
command does is below: in the library, in `aisle_training`, in `aisle_benchmark`, imported when it
runs, so that `--help` is quick and works without any extra.
"""
