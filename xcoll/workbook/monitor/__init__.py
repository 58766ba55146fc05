"""Recalibration on a schedule: parameters in force, a ledger of them, and what has to be told."""
