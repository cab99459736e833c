"""Why a policy fails: how far it strays from where its expert goes, and what that says."""
