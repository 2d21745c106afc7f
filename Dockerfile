# Targets: `runtime` (the default) runs the pipeline; `tracing` adds OpenTelemetry for STREAMER_TRACING=otlp;
# `demo` adds the stand-ins for `streamer sandbox`.
# PYTHON_IMAGE: any image with Python 3.11 or newer under /usr/local, for those who mirror their bases.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements-build.txt ./
RUN pip install --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas ./schemas
COPY streamer ./streamer
RUN python -m hatchling build -t wheel -d /wheels

# A virtual environment of its own for each image, so that nothing of the build is left in it.
FROM build AS install-runtime
COPY requirements.txt ./
RUN python -m venv /opt/streamer \
    && /opt/streamer/bin/pip install --require-hashes -r requirements.txt \
    && /opt/streamer/bin/pip install --no-deps --no-index /wheels/*.whl

FROM build AS install-tracing
COPY requirements-tracing.txt ./
RUN python -m venv /opt/streamer \
    && /opt/streamer/bin/pip install --require-hashes -r requirements-tracing.txt \
    && /opt/streamer/bin/pip install --no-deps --no-index /wheels/*.whl

FROM build AS install-demo
COPY requirements-demo.txt ./
RUN python -m venv /opt/streamer \
    && /opt/streamer/bin/pip install --require-hashes -r requirements-demo.txt \
    && /opt/streamer/bin/pip install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE} AS base
# Nothing is written at run time: the root file system may be read-only.
ENV PATH=/opt/streamer/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /
# Alive means that the last poll is recent. Readiness is another question: /readyz.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/livez' % os.environ.get('STREAMER_HTTP_PORT', '8000'), timeout=2)"]
EXPOSE 8000
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
# The program is process 1 and gets SIGTERM itself; it drains, commits and ends with 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["streamer"]
CMD ["run"]

FROM base AS demo
COPY --from=install-demo /opt/streamer /opt/streamer

FROM base AS tracing
COPY --from=install-tracing /opt/streamer /opt/streamer

FROM base AS runtime
COPY --from=install-runtime /opt/streamer /opt/streamer
