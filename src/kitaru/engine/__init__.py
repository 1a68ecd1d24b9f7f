"""Runs a flow against its journal: identity of calls, replay, suspension, leases."""
