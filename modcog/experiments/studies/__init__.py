"""Studies: questions to networks that are trained for them, in one command."""

from modcog.experiments.studies.study import STUDIES, Outcome, plan_study, study

__all__ = ["STUDIES", "Outcome", "plan_study", "study"]
