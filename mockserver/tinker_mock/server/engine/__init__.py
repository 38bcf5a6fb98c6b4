"""The numerical engine: a small real language model in numpy, with LoRA-like adapters.

    base = BaseModel("Qwen/Qwen3-8B", 151936, 151669, grammar=family("qwen3"))
    trainer = Trainer(base, rank=32)
    trainer.forward_backward([Datum(tokens, {"target_tokens": targets})], "cross_entropy")
    trainer.optim_step({"learning_rate": 5e-4})
    Sampler(base, trainer.snapshot()).sample(SampleRequest(prompt=tokens, max_tokens=16, seed=1))

Every log-probability is exact and comes from one code path (`score`), every gradient is exact
(`gradient`), and only logit biases cost the size of the vocabulary per token. No HTTP, no threads.
"""

from tinker_mock.server.engine.checkpoints.checkpoint import (
    export_state,
    export_weights,
    import_weights,
    load_state,
)
from tinker_mock.server.engine.checkpoints.peft import from_peft, peft_adapter
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.grammar import ChatGrammar
from tinker_mock.server.engine.model.scripted_answers import ScriptedAnswer
from tinker_mock.server.engine.model.weights import Weights
from tinker_mock.server.engine.sampling.requests import LogitBias, SampleRequest, alike
from tinker_mock.server.engine.sampling.results import SampledSequence, SampleResult, TopK
from tinker_mock.server.engine.sampling.sampler import Sampler
from tinker_mock.server.engine.training.datum import Datum, LossResult
from tinker_mock.server.engine.training.trainer import Trainer

__all__ = [
    "BaseModel",
    "ChatGrammar",
    "Datum",
    "EngineError",
    "LogitBias",
    "LossResult",
    "SampleRequest",
    "SampleResult",
    "SampledSequence",
    "Sampler",
    "ScriptedAnswer",
    "TopK",
    "Trainer",
    "Weights",
    "alike",
    "export_state",
    "export_weights",
    "from_peft",
    "import_weights",
    "load_state",
    "peft_adapter",
]
