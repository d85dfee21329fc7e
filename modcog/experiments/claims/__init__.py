"""The paper's claims as experiments: for each a grid of runs, parts with a test each, and verdicts."""

from modcog.experiments.claims.claim import Claim, Verdict
from modcog.experiments.claims.validation import CLAIMS, Plan, judge, plan, validate

__all__ = ["CLAIMS", "Claim", "Plan", "Verdict", "judge", "plan", "validate"]
