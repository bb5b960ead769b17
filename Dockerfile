# One image for every process of playhead; the command says which. It has neither build tools nor embedded servers.
#   docker build -t playhead .
#   docker build -t playhead-load --target load .    (Locust and the load tests as well)

FROM python:3.12-slim AS build
WORKDIR /build
ENV UV_PYTHON=/opt/playhead/bin/python UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
COPY requirements.lock pyproject.toml ./
# The lock also pins what only developers need. As constraints it gives versions and hashes to what pyproject.toml
# names, and nothing more; a file without a known hash is refused. pip doesn't take hashes from constraints, uv does.
RUN sed -n '/^uv==/,/# via/p' requirements.lock > uv.txt \
 && pip install --no-cache-dir --only-binary :all: --require-hashes -r uv.txt \
 && python -m venv --without-pip /opt/playhead \
 && uv pip install --require-hashes -c requirements.lock -r pyproject.toml
COPY README.md LICENSE ./
COPY service service
COPY workers workers
COPY lua lua
RUN uv build --wheel --require-hashes --build-constraints requirements.lock \
 && uv pip install --no-deps dist/*.whl

FROM build AS build-load
RUN uv pip install --require-hashes -c requirements.lock -r pyproject.toml --extra load

FROM python:3.12-slim AS base
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin playhead
ENV PATH=/opt/playhead/bin:$PATH PYTHONUNBUFFERED=1 PLAYHEAD_HOST=0.0.0.0
# A number, so that an orchestrator can tell that it is not root.
USER 10001

FROM base AS load
COPY --from=build-load /opt/playhead /opt/playhead
COPY loadtests /opt/playhead/loadtests
EXPOSE 8089
ENTRYPOINT ["locust", "-f", "/opt/playhead/loadtests/locustfile.py"]

FROM base AS playhead
COPY --from=build /opt/playhead /opt/playhead
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('PLAYHEAD_PORT', '8000') + '/readyz', timeout=4)"]
ENTRYPOINT ["playhead"]
CMD ["serve"]
