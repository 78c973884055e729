"""The campaign: a run that is killed again and again, and the proof that nothing was lost and nothing done twice."""
