"""Turns GPT-OSS into the shop's agent: configuration, harmony, rewards, training, evaluation, reports.

Imports `envs`, never the other way round. Torch and its friends are imported inside the functions that need
them, so that importing this package costs nothing.
"""
