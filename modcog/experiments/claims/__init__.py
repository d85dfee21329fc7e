"""The paper's claims as experiments: what is run, what is asked of the results, and what they say."""

from __future__ import annotations

from modcog.experiments.claims.c1_pool import C1
from modcog.experiments.claims.c2_autapses import C2
from modcog.experiments.claims.c3_density import C3
from modcog.experiments.claims.c4_locality import C4
from modcog.experiments.claims.c5_synapses import C5
from modcog.experiments.claims.claim import Claim, Finding, Verdict
from modcog.experiments.claims.validation import judge, validate

CLAIMS: dict[str, Claim] = {claim.name: claim for claim in (C1, C2, C3, C4, C5)}
"""Claims by name."""

__all__ = ["CLAIMS", "Claim", "Finding", "Verdict", "judge", "validate"]
