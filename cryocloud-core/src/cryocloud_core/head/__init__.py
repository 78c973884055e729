"""The shell around the engine: inbox, apply, commit, perform; the only room that talks to the journal."""
