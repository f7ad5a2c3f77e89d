"""Deployment tools: the container image, a test nginx, and nginx's error pages."""
