"""What is true, given the events. Pure: no web, no database, no settings, no clock, no I/O."""
