"""Registration with gymnasium: the ids ``modcog/<task>-v0``.

Gymnasium 0.29 loads this module as a plugin whenever it is imported, so it must stay light: no pydantic, neurogym or
torch. Gymnasium 1.x has no plugins; there ``import modcog`` registers, or an id that names the module to import:
``gymnasium.make("modcog:modcog/go-v0")``.
"""

from __future__ import annotations

from modcog.tasks.names import known_tasks


def register_envs() -> None:
    """Register the 132 tasks, and those of base tasks that a user has added, once.

    Called by gymnasium as a plugin and by ``import modcog``.
    """
    for task in known_tasks():
        register_task(task)


def register_task(task: str) -> None:
    """Register one task, unless it is registered already."""
    from gymnasium.envs import registration

    if (env_id := environment_id(task)) in registration.registry:
        return
    single, vector = "modcog.envs.env:ModCogEnv", f"modcog.envs.vector:{task}"
    registration.register(env_id, single, vector_entry_point=vector, kwargs={"task": task})


def environment_id(task: str) -> str:
    """Return the gymnasium id of a task."""
    return f"modcog/{task}-v0"
