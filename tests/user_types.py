"""A user's file as mypy sees it: public names are known and wrong ones refused; an idle ignore is an error."""

import modcog

battery: modcog.Battery = modcog.Battery("yang19", rule_input=True)
trials: modcog.Trials = battery.sample(3, seed=0)
network = modcog.models.build("lm-rnn", n_inputs=battery.n_channels, n_outputs=battery.n_actions)
accuracy: float = modcog.evaluate(network, battery, n_trials=2).decision_accuracy

modcog.models.biuld  # type: ignore[attr-defined]
modcog.nonsense  # type: ignore[attr-defined]
battery.sample("x")  # type: ignore[arg-type]
