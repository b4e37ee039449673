"""How a cluster changes, member by member: handover, scale, rolling change; their plan and loop."""
