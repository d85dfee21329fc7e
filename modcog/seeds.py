"""Seeds: the one place that makes random number generators, each for a purpose that no other shares.

A number that a user gives as ``seed`` serves many purposes: it draws samples, streams, training batches and evaluation
trials. If two of them shared a generator, a network could be evaluated on the trials it was trained on. So the purpose
is part of the key of every generator, and every key has the same form, so that no two keys can spell the same words.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

from modcog.errors import ModcogError, shown

LARGEST = 2**128 - 1
"""The largest seed that is used as it is. NumPy would write a longer one over the words of the key, where it could
imitate another purpose, so a longer one is hashed to this size."""

_WORD = 2**32


class Purpose(IntEnum):
    """Everything a seed is used for; a number, once given, is never given to another purpose."""

    SAMPLE = 0  # samples and environments: ``reset(seed=s)`` plays the trials of ``sample(n, seed=s)``
    STREAM = 1
    TRAINING = 2
    HELD_OUT = 3  # trials that a trainer scores on while it trains
    EVALUATION = 4
    EXPORT = 5
    LIVE = 6  # trials of a ``LiveDataset``
    CEILING = 7  # trials that the ideal observer plays
    PICTURE = 8
    ANALYSIS = 9  # trials that an analysis shows a network
    ORDER = 11  # order in which stored trials are read
    MASK = 12  # connections of a network
    WEIGHTS = 13  # initial weights of a network
    NETWORK_NOISE = 14  # private noise of a network's units
    BOOTSTRAP = 15
    SEARCH = 16  # starting points of a search, clustering and permutation tests
    ACTIONS = 17  # an environment's action space, and the generator that neurogym expects of it
    FISHER = 18  # responses of a network that its Fisher information is estimated from
    STAGES = 19  # tasks of the stages of continual learning


class Part(IntEnum):
    """Independent parts of what one seed draws, so that sigma, say, does not change the conditions."""

    LAYOUT = 0  # tasks and durations
    CONDITIONS = 1
    NOISE = 2
    KEPT = 3  # delays that the published rules draw once for a whole sample
    SINGLE = 4  # trials with conditions that the caller fixed


@dataclass(frozen=True)
class Seed:
    """A seed, what it is used for, and the place of the user among those of that purpose.

    Attributes:
        entropy: whole number from 0 to 2¹²⁸ − 1.
        purpose: of all generators made from it.
        path: tells apart users of one purpose: the split of an export, the copy of an environment, a copy of that.
    """

    entropy: int
    purpose: Purpose
    path: tuple[int, ...] = ()

    @classmethod
    def of(cls, seed: Any, purpose: Purpose, *path: int) -> Seed:
        """Return the seed for a number, or for one from the operating system if it is None.

        Raises:
            ModcogError: if ``seed`` is not a whole number ≥ 0.
        """
        return cls(check_seed(seed), purpose, path)

    def child(self, *path: int) -> Seed:
        """Return the seed at a place below this one."""
        return replace(self, path=(*self.path, *path))

    def sequence(self, part: int = 0, block: int = 0) -> np.random.SeedSequence:
        """Return the seed sequence of one part (layout, noise …) of one block of what this seed makes.

        The length of the path stands before it. Without that, part 5 of a copy's copy would be the same key as some
        block of a copy.

        Raises:
            ModcogError: if a part of the key is not a whole number from 0 to 2³² − 1.
        """
        key = (int(self.purpose), len(self.path), *self.path, part, block % _WORD, block // _WORD)
        if not all(0 <= word < _WORD for word in key):
            raise ModcogError(f"seed: got the key {key}, must be whole numbers from 0 to {_WORD - 1}")
        return np.random.SeedSequence(self.entropy, spawn_key=key)

    def rng(self, part: int = 0, block: int = 0) -> np.random.Generator:
        """Return the generator of one part of one block; SFC64 is NumPy's fastest for normal numbers."""
        return np.random.Generator(np.random.SFC64(self.sequence(part, block)))

    def integer(self, part: int = 0, block: int = 0) -> int:
        """Return a number below 2⁶³, to seed a generator that is not NumPy's."""
        return int(self.sequence(part, block).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def torch_rng(self, device: Any, part: int = 0, block: int = 0) -> Any:
        """Return torch's generator of one part of one block on a device; its numbers depend on the kind of device."""
        import torch

        return torch.Generator(device).manual_seed(self.integer(part, block))


def check_seed(seed: Any) -> int:
    """Return a seed as a plain number from 0 to 2¹²⁸ − 1; None gives one from the operating system.

    Raises:
        ModcogError: if it is not a whole number ≥ 0.
    """
    if seed is None:
        return int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
    if isinstance(seed, bool | np.bool_) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ModcogError(f"seed: got {shown(seed)}, must be a whole number, at least 0, or None")
    number = int(seed)
    if number > LARGEST:
        whole = number.to_bytes(number.bit_length() // 8 + 1, "little")
        number = int.from_bytes(hashlib.blake2b(whole, digest_size=16).digest(), "little")
    return number
