"""Runs the jobs: takes them from the queue, makes the pieces, stores the audio and writes the tracks."""
