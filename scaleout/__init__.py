"""When one machine is too small: thin recipes over `pipeline` and `envs`, and a plan on paper."""
