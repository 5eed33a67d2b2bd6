# syntax=docker/dockerfile:1
# Two images from one file: `--target web` (pages, sockets, Celery, beat, migrations) and `--target worker` (inference).
# TORCH_INDEX: an index of torch's own builds to prefer, such as one of CPU builds, which are far smaller; empty: the
# package's usual build, which brings CUDA. See docs/operations.md.

ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS packages
ARG TORCH_INDEX=
# eSpeak NG (GPL-3) speaks every language but English. Empty: without it.
ARG EXTRAS=espeak
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
WORKDIR /build
COPY pyproject.toml constraints.txt README.md ./
RUN /opt/venv/bin/pip install -c constraints.txt ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} ".${EXTRAS:+[${EXTRAS}]}"

FROM python:${PYTHON} AS base
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TROUPE_VAR_DIR=/data LOG_FORMAT=json
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin troupe \
    && mkdir -p /data/media && chown -R troupe:troupe /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app

FROM base AS worker
COPY inference inference
USER troupe
EXPOSE 9100
ENV WORKER_LISTEN=0.0.0.0:9100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9100/healthz', timeout=2)"]
CMD ["python", "-m", "inference.worker"]

FROM base AS web
COPY . .
# The key exists during this step only; at run time SECRET_KEY comes from outside.
RUN SECRET_KEY=for-collecting-files-only TROUPE_VAR_DIR=/tmp/build STATIC_ROOT=/app/collected \
    python manage.py collectstatic --noinput --verbosity 0 && rm -rf /tmp/build
ENV STATIC_ROOT=/app/collected
USER troupe
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["python", "manage.py", "web", "--host", "0.0.0.0"]
