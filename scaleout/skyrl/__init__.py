"""SkyRL trains on this project's worlds: `python -m scaleout.skyrl` lists the commands, README.md tells how.

Only the files that are SkyRL's plugins import it (retail_env, gsm8k_env, generator, entrypoint); everything
else runs, and is tested, without it.
"""
