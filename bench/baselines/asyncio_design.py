"""Baseline (c): FastAPI on uvicorn with an asyncpg pool, the same insert into the same table and indexes."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from fastapi import FastAPI, Request

from bench.baselines.insert import INSERT


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """A pool per process."""
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=4, max_size=10)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


@app.post("/api/automated-signals/webhook")
async def receive(request: Request) -> dict[str, Any]:
    """Parse one alert and store it."""
    text = (await request.body()).decode()
    body = json.loads(text)
    at = datetime.fromisoformat(body["event_timestamp"])
    row_id = await app.state.pool.fetchval(INSERT, text, at, body["trade_id"])
    return {"success": True, "trade_id": body["trade_id"], "event_id": row_id}
