# The worker as an image. Two targets:
#   docker build --target worker-cpu -t colloquy-worker:cpu .
#   docker build --target worker-gpu -t colloquy-worker:gpu .
# Node and Debian's Python are all that the base needs. docs/deploying.md says what was tried.
ARG BASE=node:22-bookworm-slim

FROM ${BASE} AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv tini \
    && rm -rf /var/lib/apt/lists/*
# Laid out as npm lays out a package: then runs and configs are looked for in the current folder, and nothing is written into this one.
WORKDIR /opt/colloquy/node_modules/colloquy

FROM base AS packages
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

# The Python environment of the engine: what the set-up needs for it, and no more, so that other changes do not make it again.
FROM base AS engine
ENV XDG_CACHE_HOME=/opt/colloquy/tools UV_CACHE_DIR=/tmp/uv UV_LINK_MODE=copy
COPY package.json ./
COPY scripts/setup.mjs scripts/
COPY scripts/setup scripts/setup
COPY src/engines/process/exit-with-parent.mjs src/engines/process/
COPY engine/pyproject.toml engine/uv.lock engine/requirements.lock engine/

FROM engine AS engine-cpu
RUN COLLOQUY_TORCH=cpu node scripts/setup.mjs python && rm -rf /tmp/uv /opt/colloquy/tools/colloquy/uv-*

FROM engine AS engine-gpu
RUN COLLOQUY_TORCH=gpu node scripts/setup.mjs python && rm -rf /tmp/uv /opt/colloquy/tools/colloquy/uv-*

FROM base AS worker
COPY --from=packages /opt/colloquy/node_modules/colloquy/node_modules node_modules
COPY package.json tsconfig.json LICENSE README.md ./
COPY bin bin
COPY scripts scripts
COPY configs configs
COPY engine engine
COPY tools tools
COPY src src
RUN ln -s /opt/colloquy/node_modules/colloquy/bin/colloquy.mjs /usr/local/bin/colloquy \
    && groupadd --gid 10001 colloquy \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin colloquy \
    && mkdir /data && chown 10001:10001 /data
# The tools are found below XDG_CACHE_HOME, which is read-only here: what programs keep for themselves goes to /data.
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=64 XDG_CACHE_HOME=/opt/colloquy/tools HOME=/data HF_HOME=/data/huggingface
WORKDIR /data
USER 10001:10001
# tini collects the processes that engines and trainers leave behind, and passes SIGTERM on.
ENTRYPOINT ["tini", "--", "colloquy"]
CMD ["worker"]

FROM worker AS worker-cpu
COPY --from=engine-cpu /opt/colloquy/tools /opt/colloquy/tools

FROM worker AS worker-gpu
# Triton compiles kernels when they are first used.
USER 0
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=engine-gpu /opt/colloquy/tools /opt/colloquy/tools
USER 10001:10001
