"""A program that uses whatever an official release has, and reports what it meant and understood.

On a healthy server it does everything; where something goes wrong, a step and a sample.
"""

import os
import sys
import traceback

import tinker
from keeping import changed, described, loaded, saved
from mistakes import mistakes
from newest import accounts, copies, handed_over, pictured, provenance, traced
from sampling import computed, sample, told_of_prompt
from saying import PRESET, asked, known, listen, refusable, resolved, told, write_report
from training import many, own_loss, train

MODEL = os.environ["TINKER_MOCK_MODEL"]
SITUATION = os.environ["TINKER_MOCK_SITUATION"]
WHO = {"team": "audit"}


def trained(service):
    """A model, of which all operations are reported."""
    create = service.create_lora_training_client
    lora = {"rank": 8, "seed": 7, "train_attn": False}
    given = known(create, **lora, user_metadata={"run": "thorough"})
    config = {name: value for name, value in given.items() if name in lora}
    more = known(create, user_metadata={"run": "thorough"})
    line = asked("create_model", base_model=MODEL, lora_config=config, **more)
    client = resolved(create(base_model=MODEL, **given))
    info = client.get_info()
    told(line, {"model_id": info.model_id})
    told(asked("get_info", model_id=info.model_id), info)
    return client, info.model_id


def everything(service, client, model_id):
    own_loss(client)
    many(client)
    if not PRESET:  # older ones have none of this
        provenance(client)
        traced(service, client, there=False)
    state, weights = saved(client)
    asked("create_sampling_session", model_path=weights)
    kept = resolved(service.create_sampling_client(model_path=weights))
    told_of_prompt(kept)
    computed(kept)
    asked("create_sampling_session", base_model=MODEL)
    computed(resolved(service.create_sampling_client(base_model=MODEL)))
    if not PRESET:
        copies(service, client, state)
        handed_over(kept)
        accounts(service)
    pictured(service)
    described(service, model_id, state)
    loaded(service, MODEL, state)
    changed(service, state, weights)


def opened():
    """The service, and its first model."""
    line = asked("create_session", user_metadata=WHO)
    with refusable(line):
        service = tinker.ServiceClient(user_metadata=WHO)
        if SITUATION == "denied":
            resolved(service.create_lora_training_client(base_model=MODEL, rank=8)).get_info()
    return service


def main():
    listen()
    service = opened()
    if SITUATION == "mistaken":
        mistakes(service, MODEL)
        return
    client, model_id = trained(service)
    train(client)
    asked("save_weights_for_sampler")
    sample(resolved(client.save_weights_and_get_sampling_client(name="thorough")))
    if SITUATION in ("small", "guided"):
        many(client, 10)
    if SITUATION == "guided":
        traced(service, client, there=True)
    if SITUATION == "healthy":
        everything(service, client, model_id)
    if hasattr(service, "close"):
        if not PRESET:  # older ones do not say
            asked("finish_session", reason={"type": "success"})
        service.close("success").result()


if __name__ == "__main__":
    status = 0
    try:
        main()
    except Exception:
        traceback.print_exc()
        status = 1
    write_report()
    # The threads of several releases sometimes abort an interpreter as it ends: all is said by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
