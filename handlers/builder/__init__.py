"""The builder: tasks, drafts that are looked at, and files that are written below BUILDER_ROOT once approved."""

from handlers.builder.routes import blueprint

__all__ = ["blueprint"]
