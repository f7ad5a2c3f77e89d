"""The words that an operator types, one module for each group of commands; what they do is in ops/."""
