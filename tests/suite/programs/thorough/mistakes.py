"""Mistakes that a program can make: each must end in an error, whoever says so."""

from saying import known, report, resolved
from tinker import types
from training import TEXT, WEIGHTS, datum, tensor

STEPS = ({"learning_rate": -1.0}, {"beta1": 1.5}, {"beta2": -0.5}, {"eps": -1.0},
         {"weight_decay": -1.0}, {"grad_clip_norm": -1.0})  # fmt: skip
DRAWS = ({"temperature": -1.0}, {"top_p": 1.5}, {"top_p": 0.0}, {"top_k": -7},
         {"max_tokens": 0}, {"max_tokens": -3}, {"stop": [-1]})  # fmt: skip
PATHS = (
    "",
    "tinker://",
    "tinker://run",
    "tinker:weights/kept",
    "https://run/weights/kept",
    "tinker://run/moods/kept",
    "tinker://run/weights",
    "tinker://run/weights/",
    "run/weights/kept",
    "tinker://nobody:train:0/weights/kept",
)


def tried(what, call):
    """Make a mistake; report whether anybody said so."""
    try:
        outcome = call()
        if hasattr(outcome, "result"):
            outcome = outcome.result()
    except Exception as error:
        report("mistake", what=what, told=True, says=str(error)[:200])
    else:
        report("mistake", what=what, told=False, says=repr(outcome)[:200])


def mistakes(service, model):
    def client():
        return resolved(service.create_lora_training_client(base_model=model, rank=1))

    good = datum(weights=WEIGHTS)[0]
    sampler = resolved(service.create_sampling_client(base_model=model))
    for options in STEPS:
        if known(types.AdamParams, **options):
            tried(
                f"optim_step {options}",
                lambda o=options: client().optim_step(types.AdamParams(**o)),
            )
    for options in DRAWS:
        tried(f"sample {options}", lambda o=options: drawn(sampler, **o))
    tried("sample of nothing", lambda: drawn(sampler, 0))
    for given in broken_data():
        tried(*(given[0], lambda g=given: client().forward_backward([g[1]()], "cross_entropy")))
    tried("no data", lambda: client().forward_backward([], "cross_entropy"))
    tried("no such loss", lambda: client().forward([good], "guesswork"))
    tried(
        "rank 0",
        lambda: resolved(service.create_lora_training_client(base_model=model, rank=0)).get_info(),
    )
    tried(
        "no such model",
        lambda: resolved(service.create_lora_training_client(base_model="nobody/8B")).get_info(),
    )
    of_paths(service, client())
    if not client().forward([good], "cross_entropy").result().loss_fn_outputs:
        raise AssertionError("a client works on after all that")


def drawn(sampler, count=1, **options):
    params = types.SamplingParams(**{"max_tokens": 2, **options})
    prompt = types.ModelInput.from_ints(tokens=TEXT)
    return sampler.sample(prompt, num_samples=count, sampling_params=params)


def broken_data():
    given = types.ModelInput.from_ints(tokens=TEXT[:-1])
    targets = tensor(TEXT[1:], "int64")

    def made(**inputs):
        return lambda: types.Datum(model_input=given, loss_fn_inputs=inputs)

    yield "too few targets", made(target_tokens=tensor(TEXT[2:], "int64"))
    yield "no targets", made(weights=tensor(WEIGHTS, "float32"))
    yield "too few weights", made(target_tokens=targets, weights=tensor(WEIGHTS[1:], "float32"))
    yield (
        "a shape that does not fit",
        lambda: made(target_tokens=tensor(TEXT[1:], "int64", [2, 3]))(),
    )
    yield "a token that is none", made(target_tokens=tensor([-5, *TEXT[2:]], "int64"))
    if hasattr(types, "PromptProvenanceSpan"):
        whole = types.PromptProvenanceSpan(sequence_id="a", length=len(TEXT) - 1)
        short = types.PromptProvenanceSpan(sequence_id="a", length=2)
        good = {"model_input": given, "loss_fn_inputs": {"target_tokens": targets}}
        yield "half of the spans", lambda: types.Datum(**good, model_input_spans=[whole])
        yield "the other half", lambda: types.Datum(**good, loss_fn_input_spans=[whole])
        yield "few targets", lambda: types.Datum(**good).with_provenance([whole], [short])
        yield "short spans", lambda: types.Datum(**good).with_provenance([short], [short])


def of_paths(service, client):
    rest = service.create_rest_client()
    for path in PATHS:
        tried(f"load {path}", lambda p=path: client.load_state(p))
        tried(f"describe {path}", lambda p=path: rest.get_weights_info_by_tinker_path(p))
        tried(f"delete {path}", lambda p=path: rest.delete_checkpoint_from_tinker_path(p))
        tried(
            f"draw from {path}",
            lambda p=path: drawn(resolved(service.create_sampling_client(model_path=p))),
        )
    tried("save for no time", lambda: client.save_state("kept", ttl_seconds=0))
    tried("save under no name", lambda: client.save_state("a/b/../c d"))
    tried("neither base nor path", lambda: drawn(resolved(service.create_sampling_client())))
    tried("nobody's run", lambda: rest.get_training_run("nobody"))
