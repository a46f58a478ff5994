# One image for every service: the command names it, e.g. `wafd serve visits`.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
RUN pip install --no-cache-dir "uv>=0.9,<1"
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock ./
# The dependencies are a layer of their own, which a change of the code does not touch.
RUN uv sync --frozen --no-dev --no-install-project
COPY . .
RUN uv sync --frozen --no-dev --no-editable

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --no-create-home wafd
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 WAFD_HTTP_HOST=0.0.0.0 WAFD_HTTP_PORT=8000
WORKDIR /app
USER wafd
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["wafd"]
CMD ["--help"]
