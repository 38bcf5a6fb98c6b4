"""The modules of a base model that have an adapter, from the sizes in its config.json.

Names and shapes are those of the service's archives, as tinker-cookbook's `weights` tools read
them and its `hyperparam_utils` counts them:

- attention: q/k/v/o projections, or where these are factored (DeepSeek, Kimi, GLM) the first
  factors and the output; linear attention: q, k, v, z and the output; Mamba: gate, x, the output
- MLP: gate, up, down; of experts w1, w3 (inputs shared by all experts) and w2 (output shared)
- the unembedding
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Part = Literal["attn", "mlp", "unembed"]
Config = Mapping[str, Any]


@dataclass(frozen=True)
class LoraModule:
    """A linear module: `inputs` and `outputs` features, for experts as many A and B matrices."""

    name: str
    part: Part
    inputs: int
    outputs: int
    experts: tuple[int, int] | None = None

    def shapes(self, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of lora_A and lora_B."""
        a, b = (rank, self.inputs), (self.outputs, rank)
        if self.experts is None:
            return a, b
        return (self.experts[0], *a), (self.experts[1], *b)


def lora_modules(config: Config) -> list[LoraModule]:
    """The modules of a model, layer by layer, the unembedding last.

    Raises ValueError for a `model_type` that is not known, KeyError for a size that is missing.
    """
    layers = LAYERS.get(config["model_type"])
    if layers is None:
        known = ", ".join(sorted(LAYERS))
        raise ValueError(f"model_type {config['model_type']!r} is none of {known}")
    found = list(layers(config))
    unembed = LoraModule("unembed_tokens", "unembed", config["hidden_size"], config["vocab_size"])
    return [*found, unembed]


def _head_dim(config: Config) -> int:
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    return int(config.get("head_dim") or hidden // heads)


def _attention(
    where: str, config: Config, heads: int, kv_heads: int, gated: bool = False
) -> Iterator[LoraModule]:
    hidden, size = config["hidden_size"], _head_dim(config)
    queries = heads * size
    yield LoraModule(f"{where}.q_proj", "attn", hidden, 2 * queries if gated else queries)
    yield LoraModule(f"{where}.k_proj", "attn", hidden, kv_heads * size)
    yield LoraModule(f"{where}.v_proj", "attn", hidden, kv_heads * size)
    yield LoraModule(f"{where}.o_proj", "attn", queries, hidden)


def _grouped(where: str, config: Config, gated: bool = False) -> Iterator[LoraModule]:
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    return _attention(where, config, heads, kv_heads, gated)


def _factored(where: str, config: Config) -> Iterator[LoraModule]:
    """Multi-head latent attention."""
    hidden = config["hidden_size"]
    latent = config["kv_lora_rank"] + config["qk_rope_head_dim"]
    outputs = config["num_attention_heads"] * config["v_head_dim"]
    yield LoraModule(f"{where}.q_a_proj", "attn", hidden, config["q_lora_rank"])
    yield LoraModule(f"{where}.kv_a_proj_with_mqa", "attn", hidden, latent)
    yield LoraModule(f"{where}.o_proj", "attn", outputs, hidden)


def _linear(where: str, config: Config) -> Iterator[LoraModule]:
    """Linear attention (gated delta net)."""
    hidden = config["hidden_size"]
    keys = config["linear_num_key_heads"] * config["linear_key_head_dim"]
    values = config["linear_num_value_heads"] * config["linear_value_head_dim"]
    for name, size in (("q", keys), ("k", keys), ("v", values), ("z", values)):
        yield LoraModule(f"{where}.in_proj_{name}", "attn", hidden, size)
    yield LoraModule(f"{where}.out_proj", "attn", values, hidden)


def _mlp(where: str, hidden: int, inner: int, gate: bool = True) -> Iterator[LoraModule]:
    for name in ("gate_proj", "up_proj") if gate else ("up_proj",):
        yield LoraModule(f"{where}.{name}", "mlp", hidden, inner)
    yield LoraModule(f"{where}.down_proj", "mlp", inner, hidden)


def _experts(
    where: str, hidden: int, inner: int, count: int, gate: bool = True
) -> Iterator[LoraModule]:
    for name in ("w1", "w3") if gate else ("w1",):
        yield LoraModule(f"{where}.{name}", "mlp", hidden, inner, (1, count))
    yield LoraModule(f"{where}.w2", "mlp", inner, hidden, (count, 1))


def _dense(config: Config) -> Iterator[LoraModule]:
    for layer in range(config["num_hidden_layers"]):
        where = f"layers.{layer}"
        yield from _grouped(f"{where}.self_attn", config)
        yield from _mlp(f"{where}.mlp", config["hidden_size"], config["intermediate_size"])


def _moe(config: Config) -> Iterator[LoraModule]:
    hidden, inner = config["hidden_size"], config["moe_intermediate_size"]
    for layer in range(config["num_hidden_layers"]):
        where = f"layers.{layer}"
        yield from _grouped(f"{where}.self_attn", config)
        yield from _experts(f"{where}.mlp.experts", hidden, inner, config["num_experts"])


def _hybrid(config: Config) -> Iterator[LoraModule]:
    """Qwen3.5 and later: every fourth layer has full attention; dense, or with experts."""
    hidden, every = config["hidden_size"], config.get("full_attention_interval", 4)
    for layer in range(config["num_hidden_layers"]):
        where = f"layers.{layer}"
        if (layer + 1) % every:
            yield from _linear(f"{where}.linear_attn", config)
        else:
            yield from _grouped(f"{where}.self_attn", config, gated=True)
        if "num_experts" not in config:
            yield from _mlp(f"{where}.mlp", hidden, config["intermediate_size"])
            continue
        inner, shared = config["moe_intermediate_size"], config["shared_expert_intermediate_size"]
        yield from _experts(f"{where}.mlp.experts", hidden, inner, config["num_experts"])
        yield from _mlp(f"{where}.mlp.shared_expert", hidden, shared)


def _latent(config: Config) -> Iterator[LoraModule]:
    """DeepSeek V3, Kimi K2, GLM 5: factored attention, the first layers dense. Where the config has
    linear heads (GLM 5.3 Flash), only every fourth layer's attention is factored."""
    hidden, inner = config["hidden_size"], config["moe_intermediate_size"]
    for layer in range(config["num_hidden_layers"]):
        where = f"layers.{layer}"
        if "linear_num_heads" in config and (layer + 1) % 4:
            linear = {**config, "head_dim": config["linear_head_dim"]}
            heads = config["linear_num_heads"]
            yield from _attention(f"{where}.self_attn", linear, heads, heads)
        else:
            yield from _factored(f"{where}.self_attn", config)
        if layer < config["first_k_dense_replace"]:
            yield from _mlp(f"{where}.mlp", hidden, config["intermediate_size"])
            continue
        yield from _experts(f"{where}.mlp.experts", hidden, inner, config["n_routed_experts"])
        shared = inner * config["n_shared_experts"]
        yield from _mlp(f"{where}.mlp.shared_experts", hidden, shared)


def _gpt_oss(config: Config) -> Iterator[LoraModule]:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    for layer in range(config["num_hidden_layers"]):
        where = f"layers.{layer}"
        yield from _grouped(f"{where}.attn", config)
        yield from _experts(f"{where}.mlp.experts", hidden, inner, config["num_local_experts"])


def _nemotron(config: Config) -> Iterator[LoraModule]:
    """Mamba (M), experts (E) and attention (*) in the order of `hybrid_override_pattern`."""
    hidden = config["hidden_size"]
    inner = config["mamba_num_heads"] * config["mamba_head_dim"]
    latent = config.get("moe_latent_size")
    for layer, kind in enumerate(config["hybrid_override_pattern"]):
        where = f"layers.{layer}.mixer"
        if kind == "*":
            yield from _grouped(where, config)
        elif kind == "M":
            yield LoraModule(f"{where}.gate_proj", "attn", hidden, inner)
            yield LoraModule(f"{where}.x_proj", "attn", hidden, inner)
            yield LoraModule(f"{where}.out_proj", "attn", inner, hidden)
        else:
            size, count = config["moe_intermediate_size"], config["n_routed_experts"]
            shared = config["moe_shared_expert_intermediate_size"]
            yield from _experts(f"{where}.experts", latent or hidden, size, count, gate=False)
            yield from _mlp(f"{where}.shared_experts", hidden, shared, gate=False)
            if latent:
                yield LoraModule(f"{where}.fc1_latent_proj", "mlp", hidden, latent)
                yield LoraModule(f"{where}.fc2_latent_proj", "mlp", latent, hidden)


def _inkling(config: Config) -> Iterator[LoraModule]:
    """Every sixth layer attends to everything, the others to a window; the first are dense.
    Inkling 2 has a gate in its attention, neither dense layers nor shared experts."""
    hidden, inner = config["hidden_size"], config["moe_intermediate_size"]
    heads, count = config["num_attention_heads"], config["n_routed_experts"]
    for layer in range(config["num_hidden_layers"]):
        where = f"layers.{layer}"
        kv = "swa_num_key_value_heads" if (layer + 1) % 6 else "num_key_value_heads"
        yield from _attention(f"{where}.self_attn", config, heads, config[kv])
        relative = heads * config["d_rel"]
        yield LoraModule(f"{where}.self_attn.r_proj", "attn", hidden, relative)
        if config["model_type"] == "inkling2":
            queries = heads * _head_dim(config)
            yield LoraModule(f"{where}.self_attn.gate_proj", "attn", hidden, queries)
        if layer < config["dense_mlp_idx"]:
            yield from _mlp(f"{where}.mlp", hidden, config["intermediate_size"])
            continue
        yield from _experts(f"{where}.mlp.experts", hidden, inner, count)
        if config["n_shared_experts"]:
            shared = inner * config["n_shared_experts"]
            yield from _mlp(f"{where}.mlp.shared_experts", hidden, shared)


LAYERS: Mapping[str, Callable[[Config], Iterator[LoraModule]]] = {
    "llama": _dense,
    "qwen3": _dense,
    "qwen3_moe": _moe,
    "qwen3_vl_moe": _moe,
    "qwen3_5": _hybrid,
    "qwen3_5_moe": _hybrid,
    "deepseek_v3": _latent,
    "kimi_k2": _latent,
    "glm_moe_dsa": _latent,
    "glm5_next": _latent,
    "gpt_oss": _gpt_oss,
    "nemotron_h": _nemotron,
    "inkling": _inkling,
    "inkling2": _inkling,
}
