"""The four levers as pure decisions: may a strategy act today?"""
