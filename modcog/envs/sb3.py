"""The vector environment as Stable-Baselines3 takes environments (Raffin et al. 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.checks import check_count
from modcog.envs.vector import ModCogVectorEnv
from modcog.errors import FixedError, ModcogError, shown
from modcog.extras import explained

try:
    from stable_baselines3.common.vec_env import VecEnv, VecMonitor
except ModuleNotFoundError as error:
    raise explained(error, "modcog.envs.sb3") from error


def vec_env(task: str, n_envs: int = 64, seed: int | None = None, **keywords: Any) -> VecMonitor:
    """Return many copies of a task for an agent of Stable-Baselines3, played as one environment.

    They do what those of ``stable_baselines3.common.env_util.make_vec_env`` do, which plays them one by one.

    Args:
        task: name or gymnasium id.
        n_envs: number of copies.
        seed: s gives copy i seed s + i at the first reset; None: from the operating system.
        **keywords: the options and settings of ``modcog.envs.vector.ModCogVectorEnv``.

    Returns:
        The environment, in the wrapper that records returns and lengths of episodes.

    Raises:
        ModcogError: for a wrong setting.
        UnknownNameError: if there is no such task or setting.
    """
    envs = VecMonitor(ModCogVecEnv(_SameStep(task, check_count("n_envs", n_envs), **keywords)))
    if seed is not None:
        envs.seed(seed)
    return envs


class _SameStep(ModCogVectorEnv):
    """The vector environment, with copies that are reset in the step that ends their episode.

    Its infos are simpler than gymnasium's: ``reports`` by copy, and the ``final`` copies with their observations.
    """

    same_step = True

    def _report_final(self, lanes: NDArray[np.intp], infos: dict[str, Any], reports: dict[int, dict[str, Any]]) -> None:
        infos["final"] = zip(lanes.tolist(), self.pool.observations(lanes), strict=True)

    def _add_info(self, infos: dict[str, Any], report: dict[str, Any], lane: int) -> dict[str, Any]:
        infos.setdefault("reports", {})[lane] = report
        return infos


class ModCogVecEnv(VecEnv):
    """A vector environment under the interface of Stable-Baselines3; ``vec_env`` makes it.

    A finished copy is reset in the same step; the last observation of its episode is its ``terminal_observation``.

    Args:
        env: the environment.
    """

    def __init__(self, env: _SameStep) -> None:
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    @property
    def unwrapped(self) -> ModCogVectorEnv:
        """The environment under the interface."""
        return self.env

    def reset(self) -> NDArray[np.float32]:
        """Begin an episode in every copy and return the first observations, (n_envs, C) float32."""
        observations, _ = self.env.reset(seed=list(self._seeds))
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[np.integer]) -> None:
        """Take the actions of the next step, (n_envs,)."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Play a step: return observations (n_envs, C), rewards and dones (n_envs,), and the info of each copy."""
        observations, rewards, terminated, truncated, found = self.env.step(self._actions)
        steps = zip(found["gt"].tolist(), found["new_trial"].tolist(), strict=True)
        infos = [{"gt": gt, "new_trial": new_trial, "TimeLimit.truncated": False} for gt, new_trial in steps]
        for copy, report in found.get("reports", {}).items():
            infos[copy] |= report
        for copy, observation in found.get("final", ()):
            infos[copy]["terminal_observation"] = observation
        for copy in np.flatnonzero(truncated & ~terminated).tolist():
            infos[copy]["TimeLimit.truncated"] = True
        return observations, rewards.astype(np.float32), terminated | truncated, infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of each of some copies; all have the same."""
        return [getattr(self.env, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: settings are fixed, and the copies have nothing else of their own.

        Raises:
            FixedError: always.
        """
        raise FixedError(f"{attr_name}: got {shown(value)}, but the copies are fixed; make another environment")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Refuse: the copies are played as one, and have no methods of their own.

        Raises:
            ModcogError: always.
        """
        raise ModcogError(f"{method_name}: the copies are played as one environment and have no methods of their own")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for each of some copies: none is wrapped by itself."""
        return [False for _ in self._get_indices(indices)]
