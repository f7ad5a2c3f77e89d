"""Programs that listen: the figures of a hundred pieces, and pictures of ten."""
