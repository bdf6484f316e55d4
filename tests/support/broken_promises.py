"""Promises that are not kept, each in its own way."""

import os
import signal
import time

import numpy as np

from pyconv.trust.compare import same_bits
from pyconv.trust.work import Skipped


def lies(work):
    for index in work.cases():
        work.count("cases")
        same_bits(np.float32([index]), np.float32([index if index < 3 else 0]), "counting")


def crashes(work):
    for index in work.cases():
        if index == 5:
            os.kill(os.getpid(), signal.SIGSEGV)


def hangs(work):
    for _ in work.cases():
        time.sleep(60)


def raises(work):
    raise RuntimeError("something else")


def talks(work):
    print("a library's chatter", flush=True)
    for _ in work.cases(4):
        work.count("cases")
        work.largest("largest", 0.5)


def cannot(work):
    raise Skipped("needs another machine")
