# One image for `holdpoint api`, `holdpoint worker` and the command. Nothing is written outside of /data and /tmp, so the
# root file system may be read-only; it runs as user 10001.
FROM python:3.11.14-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --no-install-project --compile-bytecode
COPY holdpoint holdpoint
COPY activities activities
COPY workflows workflows
COPY worker worker
COPY policies policies
COPY tools/opa tools/opa
RUN uv sync --locked --no-dev --no-editable --compile-bytecode

FROM openpolicyagent/opa:1.22.0-static AS opa

FROM python:3.11.14-slim-bookworm
# Git runs ssh for an ssh URL; with `ps` a fetch that takes too long is ended with the processes that it started.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git openssh-client procps ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --home-dir /data --uid 10001 --user-group holdpoint \
    && install -d -m 0700 -o holdpoint -g holdpoint /data /policies
COPY --from=build /src/.venv /src/.venv
# Makes the policies' bundle, and runs `holdpoint policy test`.
COPY --from=opa /opa /usr/local/bin/opa
ENV PATH=/src/.venv/bin:$PATH HOLDPOINT_DATA=/data HOLDPOINT_OPA=/usr/local/bin/opa PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8300
ENTRYPOINT ["holdpoint"]
CMD ["api", "--host", "0.0.0.0"]
