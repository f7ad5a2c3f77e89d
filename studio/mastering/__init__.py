"""Mastering: loudness by ITU-R BS.1770-4, true peak, a limiter, and the passes that join them."""
