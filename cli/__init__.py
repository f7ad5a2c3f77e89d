"""The command line, one module for each group of commands; what a command does is in ops/."""
