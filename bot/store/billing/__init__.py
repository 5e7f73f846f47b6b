"""Credits: ledger, member quotas, usage that survives account changes."""
