"""Music Studio, installed: `music_studio.launcher` starts the program, whose modules lie in this folder."""
