"""Names that SkyRL's arguments once had, and what they are called in 0.3.

spelled("generator.num_inference_engines")     # "write generator.inference_engine.num_engines"
spelled("trainer.epochs")                      # None: nothing is wrong with it
"""

from __future__ import annotations

from difflib import get_close_matches

from scaleout.skyrl.arguments import known_keys

ENGINE = "generator.inference_engine"
MOVED = {
    "generator.inference_engine_tensor_parallel_size": f"{ENGINE}.tensor_parallel_size",
    "generator.inference_engine_pipeline_parallel_size": f"{ENGINE}.pipeline_parallel_size",
    "generator.inference_engine_data_parallel_size": f"{ENGINE}.data_parallel_size",
    "generator.inference_engine_expert_parallel_size": f"{ENGINE}.expert_parallel_size",
    "generator.num_inference_engines": f"{ENGINE}.num_engines",
    "generator.remote_inference_engine_urls": f"{ENGINE}.external_server_urls",
    f"{ENGINE}.remote_urls": f"{ENGINE}.external_server_urls",
    "trainer.use_sample_packing": "trainer.remove_microbatch_padding",
    "trainer.log_example_interval": "trainer.print_example_interval",
    "trainer.algorithm.use_tis": "trainer.algorithm.off_policy_correction.tis_ratio_type",
    "trainer.algorithm.tis_imp_ratio_cap": (
        "trainer.algorithm.off_policy_correction.token_tis_ratio_clip_high"
    ),
}
GONE = {
    "async_engine": "SkyRL always uses the asynchronous engine",
    "enable_http_endpoint": "the engine is always behind HTTP",
    "http_endpoint_host": "SkyRL chooses the engine's address itself",
    "http_endpoint_port": "SkyRL chooses the engine's address itself",
    "override_existing_update_group": "the engine's update groups are managed by themselves",
}


def spelled(key: str) -> str | None:
    """What to do about a name that is not, or no longer, the right one; None if it is."""
    if key.startswith(("+", "~")):
        return f"SkyRL takes no prefix {key[0]!r}: write {key[1:]}"
    group, _, name = key.rpartition(".")
    if key in MOVED:
        return f"write {MOVED[key]}"
    if name in GONE and group.startswith("generator"):
        return f"remove it: {GONE[name]}"
    if key in known_keys() or _inside_a_mapping(key):
        return None
    if group == "generator" and f"{ENGINE}.{name}" in known_keys():
        return f"write {ENGINE}.{name}"
    return _guess(key)


def _inside_a_mapping(key: str) -> bool:
    """Whether the key is below one that holds a mapping: generator.chat_template_kwargs.reasoning_effort."""
    parts = key.split(".")
    starts = (".".join(parts[:length]) for length in range(1, len(parts)))
    return any(known_keys().get(start, ("", None))[0].startswith("dict") for start in starts)


def _guess(key: str) -> str:
    near = get_close_matches(key, known_keys(), n=1, cutoff=0.8)
    if not near:  # the right name in the wrong place
        near = [known for known in known_keys() if known.rpartition(".")[2] == key.rpartition(".")[2]][:1]
    return f"SkyRL 0.3 has no such argument{f': write {near[0]}' if near else '; remove it'}"
