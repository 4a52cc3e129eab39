"""The same shop, agent and rewards on many GPUs: `scaleout.verl` and `scaleout.skyrl`, each a thin shim."""
