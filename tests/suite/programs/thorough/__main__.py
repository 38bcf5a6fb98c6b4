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
from saying import PRESET, asked, failed, known, listen, resolved, told
from training import many, own_loss, train

MODEL = os.environ["TINKER_MOCK_MODEL"]
SITUATION = os.environ["TINKER_MOCK_SITUATION"]
WHO = {"team": "audit"}
REFUSED = {"denied": "create_session", "failing": "forward", "failed": "forward"}
"""What a situation lets go wrong for good."""


def trained(service):
    create = service.create_lora_training_client
    lora = {"rank": 8, "seed": 7, "train_attn": False}
    given = known(create, **lora, user_metadata={"run": "thorough"})
    client = resolved(create(base_model=MODEL, **given))
    config = {name: value for name, value in given.items() if name in lora}
    more = known(create, user_metadata={"run": "thorough"})
    asked("create_model", base_model=MODEL, lora_config=config, **more)
    told("get_info", client.get_info())
    return client


def everything(service, client):
    own_loss(client)
    many(resolved(service.create_lora_training_client(base_model=MODEL, rank=4)))
    state, weights = saved(client)
    kept = resolved(service.create_sampling_client(model_path=weights))
    asked("create_sampling_session", model_path=weights)
    told_of_prompt(kept)
    computed(kept)
    base = resolved(service.create_sampling_client(base_model=MODEL))
    asked("create_sampling_session", base_model=MODEL)
    computed(base)
    if not PRESET:  # older ones have none of this
        provenance(client)
        traced(service, client)
        copies(service, client, state)
        handed_over(kept)
        accounts(service)
    pictured(service)
    described(service, client, state, weights)
    loaded(service, MODEL, state)
    changed(service, state, weights)


def main():
    listen()
    service = tinker.ServiceClient(user_metadata=WHO)
    if SITUATION == "mistaken":
        mistakes(service, MODEL)
        return
    client = trained(service)
    asked("create_session", user_metadata=WHO)
    train(client)
    sample(resolved(client.save_weights_and_get_sampling_client(name="thorough")))
    if SITUATION == "guided":
        many(client, 10)
    if SITUATION == "healthy":
        everything(service, client)
    if hasattr(service, "close"):
        service.close("success").result()
        if not PRESET:
            asked("finish_session", reason={"type": "success"})


if __name__ == "__main__":
    status = 0
    try:
        main()
    except Exception as error:
        if SITUATION in REFUSED:
            failed(REFUSED[SITUATION], error)
        traceback.print_exc()
        status = 1
    # The threads of several releases sometimes abort an interpreter as it ends: all is said by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
