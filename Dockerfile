# The product in one image: `aftersales serve`, `aftersales scheduler`, any other command. docs/operating.md, compose.yaml.
FROM python:3.11-slim AS built
RUN pip install --no-cache-dir uv
WORKDIR /app
ENV UV_PROJECT_ENVIRONMENT=/app/.venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
# dependencies first: they change less often than the product
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --extra postgres --no-install-project
COPY aftersales aftersales
COPY web web
RUN uv sync --frozen --no-dev --extra postgres --no-editable

FROM python:3.11-slim
RUN useradd --uid 10001 --home-dir /data --no-create-home aftersales \
    && mkdir /data && chown aftersales: /data
COPY --from=built /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AFTERSALES_HOST=0.0.0.0 \
    AFTERSALES_LOG_FORMAT=json \
    AFTERSALES_DATABASE_URL=sqlite:////data/aftersales.db \
    AFTERSALES_EVIDENCE_DIR=/data/evidence
USER aftersales
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["aftersales", "serve"]
