"""The loudness to which music is mastered, in LUFS, for each mode. Needs no library."""

TARGET_LUFS = {"creation": -14.0, "focus": -18.0}
