"""Thin recipes and shims that hand the project's tasks and rewards to engines for many GPUs."""
