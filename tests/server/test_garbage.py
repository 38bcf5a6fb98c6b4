"""Collections do not look at the same objects again and again, and circles end all the same."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from tinker_mock.server.serving import garbage

garbage.LEAST = 200_000
collector = garbage.Collector()
collector.begin()
looked = []

def look(phase, info):
    if phase == "start":
        looked.append(len(gc.get_objects()))

gc.callbacks.insert(0, look)

class Circle:
    pass

circle = Circle()
circle.itself = circle
gone = weakref.ref(circle)
alive = []
for number in range(1_500_000):
    alive.append([number])
    if number == 400_000:
        assert gc.get_freeze_count() > 100_000
        del circle
    if gone() is None:
        break
del gc.callbacks[:]
print(sorted(looked)[len(looked) // 2], max(looked), gone() is None, len(alive))
"""


def test_what_survived_is_left_out_until_it_is_twice_as_much() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120
    )
    usual, most, gone, alive = done.stdout.split()
    assert int(usual) < 200_000
    assert gone == "True", "a circle that was frozen is never looked at again"
    assert int(most) > 400_000  # when it was
    assert int(alive) < 1_500_000


REFUSED = """
import gc, json, socket
import httpx
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.wire.exchange import Exchange

KEY = {"X-API-Key": "tml-a", "Content-Type": "application/json"}
long = json.dumps({"request_id": "none", "more": "x" * 100_000}).encode()

def refuse(http):
    assert http.post("/api/v1/retrieve_future", content=long).status_code == 404
    assert http.post("/api/v1/create_session", content=long).status_code == 422
    assert http.post("/api/v1/create_session", content=long[:-1]).status_code == 400
    assert http.get("/api/v1/sessions", headers={"X-API-Key": ""}).status_code == 401
    assert http.get("/api/v1/no-such-path").status_code == 404

with RunningServer(Settings(port=0, journal_size=0)) as server:
    with httpx.Client(base_url=server.url, headers=KEY, timeout=60) as http:
        refuse(http)
        gc.collect()
        gc.disable()
        for _ in range(5):
            refuse(http)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
print(sum(isinstance(one, (BaseException, Exchange)) for one in gc.garbage))
"""


def test_a_refused_request_goes_with_its_body_and_waits_for_no_collection() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(done.stdout) == 0
