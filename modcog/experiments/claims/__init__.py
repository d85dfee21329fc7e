"""The paper's claims as experiments: for each a grid of runs, a test of their results, and a verdict."""

from modcog.experiments.claims.claim import Claim, Finding, Verdict
from modcog.experiments.claims.validation import CLAIMS, judge, validate

__all__ = ["CLAIMS", "Claim", "Finding", "Verdict", "judge", "validate"]
