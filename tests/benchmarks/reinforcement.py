"""Training of agents by reward in 64 copies of dlygo with four directions: time in the environment, and returns.

A return of 0.25 is what responding at the right time to any direction earns; more needs memory, which PPO has not.

    python tests/benchmarks/reinforcement.py [--steps 60000]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnvWrapper
from timing import print_machine, print_table

import modcog
from modcog.envs.sb3 import vec_env

TASK, COPIES, DIRECTIONS = "dlygo", 64, 4
COMMON = {"n_steps": 32, "batch_size": 512, "learning_rate": 1e-3, "gamma": 0.9, "ent_coef": 0.01, "n_epochs": 10}
LSTM = {"lstm_hidden_size": 64, "shared_lstm": True, "enable_critic_lstm": False}
PARTS = 4
"""Times that returns are looked at."""


class Timed(VecEnvWrapper):
    """Measures the time spent in the environment."""

    seconds = 0.0

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        start = time.perf_counter()
        found = self.venv.step_wait()
        self.seconds += time.perf_counter() - start
        return found


def trained(name: str, kind: str, steps: int) -> list[str]:
    """A row of the table: an agent and what its training took and brought."""
    ours = kind == "vec_env"
    settings = {"dim_ring": DIRECTIONS}
    envs = Timed(
        vec_env(TASK, COPIES, seed=0, **settings)
        if ours
        else make_vec_env(f"modcog/{TASK}-v0", COPIES, seed=0, env_kwargs=settings)
    )
    how = {**COMMON, "seed": 0, "device": "cpu"}
    if name == "PPO":
        agent: Any = PPO("MlpPolicy", envs, **how)
    else:
        agent = RecurrentPPO("MlpLstmPolicy", envs, policy_kwargs=LSTM, **how)
    returns, start = [], time.perf_counter()
    for part in range(1, PARTS + 1):
        agent.learn(part * steps // PARTS - agent.num_timesteps, reset_num_timesteps=False)
        returns.append(f"{np.mean([episode['r'] for episode in agent.ep_info_buffer]):.2f}")
    seconds = time.perf_counter() - start
    accuracy = modcog.evaluate_agent(agent, TASK, **settings).decision_accuracy
    times = [f"{seconds:.1f}", f"{envs.seconds:.2f}", f"{100 * envs.seconds / seconds:.1f} %"]
    return [name, kind, f"{agent.num_timesteps:,}", *times, *returns, f"{100 * accuracy:.1f}"]


def main() -> None:
    """Train all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60_000, help="of all copies together")
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    print_machine()
    cases = [("PPO", "vec_env"), ("PPO", "make_vec_env"), ("RecurrentPPO", "vec_env")]
    header = ["agent", "environment", "steps", "seconds", "in the environment", "share"]
    looks = [f"return at {part * steps // PARTS:,}" for part in range(1, PARTS + 1)]
    rows = [trained(*case, steps) for case in cases]
    print_table(f"{TASK}, {DIRECTIONS} directions, {COPIES} copies", [*header, *looks, "accuracy, %"], rows)


if __name__ == "__main__":
    main()
