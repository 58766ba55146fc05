"""Liquidation: exact venue rules, replay of cohorts of accounts, outcomes and the frontier."""
