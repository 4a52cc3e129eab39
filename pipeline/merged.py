"""A copy of a model for writing on a CPU: its adapter's changes are in its weights, and none is in four bits.

Writing a token passes through each layer once for a few dozen rows. On a CPU most of that time goes into the
adapter's extra steps, into reading four bits again for every token, and into sorting tokens by expert. In a
plain copy every expert works on every token and only the chosen ones count; it writes the same tokens (logits
differ by rounding) in about half the time. A GPU has better ways, and there the model itself is used.

    writer = for_writing(model)      # as the model is now; make another after training
    writer.generate(...)
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

EVERY_EXPERT = "every_expert"
FEW_EXPERTS = 8  # of more, most would work for nothing


def for_writing(model: Any) -> Any:
    """The plain copy of a model with a LoRA adapter on a CPU; any other model itself."""
    if model.device.type != "cpu" or not _has_plain_lora(model):
        return model
    import torch

    source = model.get_base_model()
    config = deepcopy(source.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    if config.model_type == "gpt_oss" and config.num_local_experts <= FEW_EXPERTS:
        config._experts_implementation = _registered()
    copy = type(source)(config).eval()
    with torch.no_grad():
        weights = {path: _at(source, path).float() for path in copy.state_dict()}
    copy.load_state_dict(weights, assign=True)
    copy.generation_config = source.generation_config
    return copy


def _registered() -> str:
    """Make `every_expert` known to transformers; returns the name to build a model with."""
    from transformers.integrations.moe import ExpertsInterface

    ExpertsInterface.register(EVERY_EXPERT, every_expert)
    return EVERY_EXPERT


def every_expert(experts: nn.Module, tokens: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """gpt-oss's experts as transformers' experts functions are called: all work, the chosen ones count."""
    import torch

    count = experts.num_experts
    for_each = tokens.expand(count, *tokens.shape)
    inside = torch.baddbmm(experts.gate_up_proj_bias[:, None], for_each, experts.gate_up_proj)
    found = torch.baddbmm(experts.down_proj_bias[:, None], experts._apply_gate(inside), experts.down_proj)
    shares = tokens.new_zeros(len(tokens), count).scatter(1, chosen, weights)
    return (found * shares.T[..., None]).sum(0)


def _has_plain_lora(model: Any) -> bool:
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not isinstance(model, PeftModel):
        return False
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    return all(isinstance(layer, LoraLayer) and not layer.lora_variant for layer in layers)


def _at(source: Any, path: str) -> Tensor:
    module, name = path.rsplit(".", 1)
    return _weight(source.get_submodule(module), name)


def _weight(module: Any, name: str) -> Tensor:
    """A module's weight with what its adapters change, and without the four bits."""
    from peft.tuners.lora import LoraLayer
    from peft.tuners.lora.layer import ParamWrapper
    from peft.utils.integrations import dequantize_bnb_weight
    from peft.utils.other import ModulesToSaveWrapper

    if isinstance(module, ModulesToSaveWrapper):
        trained_in_place = module.modules_to_save[module.active_adapters[0]]
        return getattr(trained_in_place, name).clone()
    if isinstance(module, LoraLayer):
        weight = _weight(module.base_layer, name)
        if name == (module.parameter_name if isinstance(module, ParamWrapper) else "weight"):
            weight = weight + sum(module.get_delta_weight(adapter) for adapter in module.active_adapters)
        return weight
    weight = getattr(module, name)
    return dequantize_bnb_weight(weight) if hasattr(weight, "quant_state") else weight.detach()
