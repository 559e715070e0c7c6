"""Judges answers: one JSON object a line in, one out. An answer is right when it lies in the range that its row has, such as "30 to 32"."""

import json
import sys

for line in sys.stdin:
    row = json.loads(line)
    least, most = (int(bound) for bound in row["gold"].split(" to "))
    try:
        correct = least <= int(row["answer"]) <= most
    except ValueError:  # not a whole number
        correct = False
    # flush: the worker waits for this line before it sends the next one.
    print(json.dumps({"correct": correct}), flush=True)
