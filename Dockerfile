# The server and its jobs. Nothing is fetched but the base image and what requirements.txt pins.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN groupadd --system --gid 10001 alertbook \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent alertbook \
    && install -d -o 10001 -g 10001 /data

WORKDIR /app

# before the code: its layer stays while only code changes
COPY requirements.txt ./
RUN pip install -r requirements.txt

COPY . ./

ENV HOST=0.0.0.0 \
    PORT=8080 \
    ALERTBOOK_DATA_DIR=/data

USER 10001:10001
EXPOSE 8080

CMD ["gunicorn", "-c", "gunicorn.conf.py"]
