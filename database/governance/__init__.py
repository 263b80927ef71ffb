"""What the levers keep: switches, caps, charters, wires, and the audit of every change and decision.

Locks are always taken in this order: the GLOBAL row of risk_policy, rows of an engine, domain or wire, the
audit's head last.
"""
