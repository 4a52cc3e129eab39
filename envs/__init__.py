"""Worlds an agent can act in: `envs.retail` is the shop, `envs.gsm8k` a small second domain."""
