"""The four levers over HTTP: one file per lever."""

from handlers.blueprint import Blueprint
from handlers.governance import go_live, heimdall, regression, review, risk

BLUEPRINTS: tuple[Blueprint, ...] = (
    go_live.blueprint,
    risk.blueprint,
    heimdall.blueprint,
    regression.blueprint,
    review.blueprint,
)
