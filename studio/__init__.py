"""Music from a sentence: brief, score, synthesis, mastering, encoding. Knows no request, no row and no file of ours."""
