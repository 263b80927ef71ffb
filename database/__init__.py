"""The only place that knows PostgreSQL. No decisions."""
