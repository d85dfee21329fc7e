"""A user's file as mypy sees it: public names are known and wrong ones refused; an idle ignore is an error."""

import modcog

battery: modcog.Battery = modcog.Battery("yang19", rule_input=True)
trials: modcog.Trials = battery.sample(3, seed=0)
network = modcog.models.build("lm-rnn", n_inputs=battery.n_channels, n_outputs=battery.n_actions)
accuracy: float = modcog.evaluate(network, battery, n_trials=2).decision_accuracy

modcog.Battery(["dms"], dt=20, timing={"delay": ("uniform", (300, 900))}, coherences=[0.1, 0.2]).replace(sigma=0)
modcog.Battery("yang19", dt="20")  # type: ignore[arg-type]
modcog.Battery("yang19", dtt=20)  # type: ignore[call-arg]
battery.replace(rules="publishd")  # type: ignore[arg-type]
modcog.models.biuld  # type: ignore[attr-defined]
modcog.nonsense  # type: ignore[attr-defined]
battery.sample("x")  # type: ignore[arg-type]
