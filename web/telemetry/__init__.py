"""Access log, metrics, traces and the configuration of logging."""
