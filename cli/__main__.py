"""`python -m cli` is `aisle`, where nothing is installed."""

from cli.main import main

main()
