"""`python -m cli`: the command line from a checkout."""

from cli.start import main

main()
