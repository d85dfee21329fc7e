"""The class that environments extend: neurogym's (Molano-Mazón et al. 2022), or a plain gymnasium environment."""

from __future__ import annotations

from typing import Any

try:
    from neurogym.core import TrialEnv
    from neurogym.utils.spaces import Box, Discrete
except ImportError:  # neurogym, or torch, which it imports without declaring it
    import gymnasium
    from gymnasium import spaces

    class TrialEnv(gymnasium.Env[Any, Any]):  # type: ignore[no-redef]
        """The part of neurogym's class of this name that our environments use."""

        def __init__(self, **given: Any) -> None:
            super().__init__()
            vars(self).update(given)
            self.num_tr, self.performance, self._top = 0, 0.0, self

        def set_top(self, wrapper: Any) -> None:
            """Have a wrapper start the next trials, instead of this environment."""
            self._top = wrapper

        @staticmethod
        def post_step(*step: Any) -> tuple[Any, ...]:
            """Return what a step returns: observation, reward, terminated, truncated and info."""
            return step

    class Box(spaces.Box):  # type: ignore[no-redef]
        """A box whose channels have names."""

        def __init__(self, *args: Any, name: dict[str, Any], **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.name = name

    class Discrete(spaces.Discrete):  # type: ignore[no-redef]
        """Actions that have names."""

        def __init__(self, n: int, name: dict[str, Any]) -> None:
            super().__init__(n)
            self.name = name


__all__ = ["Box", "Discrete", "TrialEnv"]
