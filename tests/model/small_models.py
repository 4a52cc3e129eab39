"""Models without training, and so small that a test can ask them anything, with a tokenizer of bytes."""

from typing import Any

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 2048,
    "initializer_range": 0.3,
}
MIXED = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8}
EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1}
ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}


def byte_tokenizer() -> Any:
    """Bytes and the special tokens: so few that a model without training stops now and then."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = {letter: place for place, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    plain = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    plain.decoder = decoders.ByteLevel()
    names = "start end message channel constrain return call endoftext reserved_200017"
    plain.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in names.split()])
    return PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<|reserved_200017|>")


def build(kind: str, vocabulary: int, **changes: Any) -> Any:
    """An untrained model: "gpt_oss", "llama" or "mistral"."""
    import torch
    from transformers import (
        GptOssConfig,
        GptOssForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
    )

    torch.manual_seed(0)
    if kind == "gpt_oss":
        settings = SMALL | MIXED | EXPERTS | ROPE | changes
        model = GptOssForCausalLM(GptOssConfig(vocab_size=vocabulary, **settings))
        with torch.no_grad():
            for layer in model.model.layers:
                layer.self_attn.sinks.normal_()  # transformers leaves them as they are: uninitialised
        return model.eval()
    if kind == "mistral":
        settings = SMALL | {"sliding_window": 8}
        return MistralForCausalLM(MistralConfig(vocab_size=vocabulary, **settings)).eval()
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **SMALL)).eval()
