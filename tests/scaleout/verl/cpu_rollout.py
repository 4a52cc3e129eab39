"""TEST ONLY: a rollout server for verl that generates with transformers on a CPU, and can follow a script.

`CPU_ROLLOUT_SCRIPT` names a JSON file {the customer's first words: [the agent's turns]}. Every second rollout
of a task follows it, the others are the model's own: so tools are called, and the rewards of a group differ.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica, TokenOutput

SCRIPT, MOST = "CPU_ROLLOUT_SCRIPT", "CPU_ROLLOUT_TOKENS"


class WeightPusher(BaseRollout):
    """Lives in the trainer's worker and hands its weights to the servers."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.sleep_level = 2

    async def resume(self, tags: list[str]) -> None:
        """Nothing sleeps here."""

    async def release(self) -> None:
        """Nothing is released here."""

    async def update_weights(self, weights: Any, global_steps: int | None = None, **other: Any) -> None:
        """Every rank walks through the weights, for gathering them is collective; the first one sends."""
        state = {name: tensor.detach().float().cpu().clone() for name, tensor in weights}
        if torch.distributed.get_rank() == 0:
            for rank in range(torch.distributed.get_world_size()):
                await ray.get_actor(f"cpu_server_{rank}").load.remote(state, global_steps)


@ray.remote(num_cpus=0)
class CpuServer:
    """Generates one turn at a time."""

    def __init__(self, path: str) -> None:
        import transformers

        torch.set_num_threads(1)
        load = transformers.AutoModelForCausalLM.from_pretrained
        self.model = load(path, dtype=torch.float32, attn_implementation="eager").eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        self.ends = set(self.tokenizer.convert_tokens_to_ids(["<|call|>", "<|return|>"]))
        self.step, self.begun = 0, Counter()
        script = os.environ.get(SCRIPT)
        self.script = json.loads(Path(script).read_text(encoding="utf-8")) if script else {}

    async def load(self, state: dict[str, torch.Tensor], step: int | None) -> None:
        """Take the trainer's weights and say how much they have moved."""
        own = self.model.state_dict()
        fitting = {
            name: value for name, value in state.items() if name in own and own[name].shape == value.shape
        }
        moved = max((own[name] - value).abs().max().item() for name, value in fitting.items())
        self.model.load_state_dict(fitting, strict=False)
        self.step = step or 0
        print(
            f"[cpu server] weights of step {step}: {len(fitting)} of {len(own)}, moved {moved:.3e}",
            flush=True,
        )

    async def generate(
        self, request_id: str, *, prompt_ids: list[int], sampling_params: dict, **other: Any
    ) -> Any:
        """One turn of the script, or the model's own."""
        ids = list(prompt_ids)
        with torch.no_grad():
            turn, logprobs = self._turn(ids, self._scripted(ids), sampling_params)
        extra = {"global_steps": self.step}
        return TokenOutput(
            token_ids=turn, log_probs=logprobs, stop_reason="completed", num_preempted=0, extra_fields=extra
        )

    def _scripted(self, ids: list[int]) -> list[int] | None:
        """The tokens of the script's next turn, if this rollout follows it."""
        text = self.tokenizer.decode(ids)
        turns = next((turns for query, turns in self.script.items() if query in text), None)
        if turns is None:
            return None
        said = sum(token in self.ends for token in ids)
        if said == 0:
            self.begun[turns[0]] += 1
        followed = self.begun[turns[0]] % 2 if said == 0 else turns[0] in text
        return self.tokenizer.encode(turns[said], add_special_tokens=False) if followed else None

    def _turn(
        self, ids: list[int], forced: list[int] | None, sampling: dict
    ) -> tuple[list[int], list[float]]:
        most = min(int(os.environ.get(MOST, "24")), sampling.get("max_tokens") or 24)
        temperature = max(float(sampling.get("temperature", 1.0)), 1e-6)
        turn, logprobs, past, fed = [], [], None, torch.tensor([ids])
        for place in range(len(forced) if forced else most):
            out = self.model(input_ids=fed, past_key_values=past, use_cache=True)
            past = out.past_key_values
            scores = torch.log_softmax(out.logits[0, -1].float() / temperature, -1)
            token = forced[place] if forced else int(torch.multinomial(scores.exp(), 1))
            turn.append(token)
            logprobs.append(float(scores[token]))
            if token in self.ends:
                break
            fed = torch.tensor([[token]])
        return turn, logprobs

    async def idle(self, *given: Any, **named: Any) -> dict[str, Any]:
        """What the trainer asks of a real server and this one has no need of."""
        return {}

    wake_up = sleep = clear_kv_cache = abort_all_requests = resume_generation = idle


class CpuReplica(RolloutReplica):
    """Starts the server that verl's clients talk to."""

    async def launch_servers(self) -> None:
        """One server a replica, known by its name."""
        name = f"cpu_server_{self.replica_rank}"
        passed = {key: os.environ[key] for key in (SCRIPT, MOST) if key in os.environ}
        options = {"name": name, "max_concurrency": 100, "runtime_env": {"env_vars": passed}}
        server = CpuServer.options(**options).remote(self.model_config.path)
        await server.idle.remote()
        self.servers = [server]
        self._server_handle, self._server_address = server, name
