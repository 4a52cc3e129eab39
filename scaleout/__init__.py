<<<<<<< HEAD
"""Thin recipes and shims that hand the project's tasks and rewards to engines for many GPUs."""
=======
"""When one machine is too small: thin recipes over `pipeline` and `envs`, and a plan on paper."""
>>>>>>> 941427fa30dded5e037759bb8fb8666964c47b6e
