# Targets: `runtime` (the default) runs the pipeline; `tracing` adds OpenTelemetry for STREAMER_TRACING=otlp;
# `demo` adds the stand-ins for `streamer sandbox`.
# PYTHON_IMAGE: any image with Python 3.11 or newer under /usr/local, for those who mirror their bases.
ARG PYTHON_IMAGE=python:3.13-slim-trixie
# COMPILED: `true` makes machine code of the engine, which saves a quarter of the CPU and more; it takes gcc, of the
# base or of Debian's packages. `false` leaves it Python. What cannot be compiled fails the build.
ARG COMPILED=true

FROM ${PYTHON_IMAGE} AS pip
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

FROM pip AS build
ARG COMPILED
# The compiler is the one of the base's own release. It is in this stage alone, like all that builds.
# hadolint ignore=DL3008
RUN case "${COMPILED}" in \
        false) ;; \
        true) command -v gcc \
            || { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev; } \
            || { echo "No C compiler could be installed: name a PYTHON_IMAGE that has gcc, or COMPILED=false." >&2; exit 1; } ;; \
        *) echo "COMPILED is true or false, not '${COMPILED}'." >&2; exit 1 ;; \
    esac \
    && rm -rf /var/lib/apt/lists/*
COPY requirements-build.txt requirements-compile.txt ./
RUN python -m venv /opt/build \
    && case "${COMPILED}" in true) pins=requirements-compile.txt ;; *) pins=requirements-build.txt ;; esac \
    && /opt/build/bin/pip install --require-hashes -r "${pins}"
COPY pyproject.toml README.md LICENSE ./
COPY tools/compiling.py ./tools/
COPY schemas ./schemas
COPY streamer ./streamer
# A wheel of Python alone bears that in its name.
RUN HATCH_BUILD_HOOK_ENABLE_CUSTOM="${COMPILED}" /opt/build/bin/python -m hatchling build -t wheel -d /wheels \
    && case "$(echo /wheels/*)" in *-none-any.whl) made=false ;; *) made=true ;; esac \
    && if [ "${made}" != "${COMPILED}" ]; then echo "The wheel is not what COMPILED=${COMPILED} asks for." >&2; exit 1; fi

# A virtual environment of its own for each image, so that nothing of the build is in it; what changes seldom is first.
FROM pip AS install-runtime
COPY requirements.txt ./
RUN python -m venv /opt/streamer \
    && /opt/streamer/bin/pip install --require-hashes -r requirements.txt
COPY --from=build /wheels /wheels
RUN /opt/streamer/bin/pip install --no-deps --no-index /wheels/*.whl

FROM pip AS install-tracing
COPY requirements-tracing.txt ./
RUN python -m venv /opt/streamer \
    && /opt/streamer/bin/pip install --require-hashes -r requirements-tracing.txt
COPY --from=build /wheels /wheels
RUN /opt/streamer/bin/pip install --no-deps --no-index /wheels/*.whl

FROM pip AS install-demo
COPY requirements-demo.txt ./
RUN python -m venv /opt/streamer \
    && /opt/streamer/bin/pip install --require-hashes -r requirements-demo.txt
COPY --from=build /wheels /wheels
RUN /opt/streamer/bin/pip install --no-deps --no-index /wheels/*.whl

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
