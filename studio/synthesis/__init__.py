"""From a score to samples: instruments, percussion, reverb and the mix, in blocks of one second."""

RATE = 44_100
"""Samples per second of every signal in this package."""
