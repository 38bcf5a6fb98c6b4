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
    if phase == "start" and info["generation"] == 2:
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
