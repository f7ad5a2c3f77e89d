"""How the service is delivered: container, compose file, systemd unit, nginx, and what proves them."""
