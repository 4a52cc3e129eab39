"""A model, a machine and a run with numbers small enough to work with by hand."""

from dataclasses import replace

from scaleout.capacity import Machine, Model, Run

SMALL = Model("small", 4, 8, heads=2, kv_heads=1, head_dim=4, intermediate=16, vocabulary=100)
EXPERTS = replace(SMALL, name="experts", experts=3, experts_per_token=2, window=10, window_layers=2)
BOX = Machine("box", memory_gib=80, tflops=1, gpus=4)
RUN = Run(gpus=2, episodes=6, tokens=100, steps=9, lora_rank=2, spare_gib=1, other_seconds=5)
