# Two images from one file:
#   docker build --target proxy -t replay-proxy .            the proxy alone, in front of an emulator in another container
#   docker build --target embedded -t replay-proxy:moto .    with an emulator (moto) that the proxy starts and supervises
#
# Both open the interception door where REPLAY_INTERCEPT=0.0.0.0:4567 asks for it, share pods with registries, and encrypt
# exports. What of that is not wanted can be left out: --build-arg EXTRAS=encrypt makes an image that is 70 MB smaller.
#
# The recording lies in the volume /var/lib/replay-proxy. SIGTERM ends the proxy cleanly; `docker stop` sends it.
# Scripts in /etc/replay-proxy/init/ready.d run when the state is restored: docs/init-scripts.md.
# Every setting is an environment variable: docs/cli.md. Another command is given as arguments:
#   docker run --rm -v recording:/var/lib/replay-proxy replay-proxy restore --upstream http://emulator:4566

FROM python:3.13-slim-bookworm AS build
ARG EXTRAS=encrypt,intercept,registry
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 SOURCE_DATE_EPOCH=315532800
# A compiler for the one small module in C. Nothing of this stage but the environments goes into the images.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY constraints.txt ./
RUN python -m venv /opt/proxy && python -m venv /opt/embedded
COPY pyproject.toml README.md LICENSE ./
COPY docs/replay-proxy.1 docs/
COPY replay_proxy replay_proxy
# The AWS CLI is for init scripts.
RUN /opt/proxy/bin/pip install -c constraints.txt ".[$EXTRAS]" awscli \
    && /opt/embedded/bin/pip install -c constraints.txt ".[$EXTRAS,moto]" awscli

FROM python:3.13-slim-bookworm AS base
# Pods, and the certificate authority of the interception door, lie in the volume, too.
ENV PYTHONUNBUFFERED=1 \
    REPLAY_LISTEN=0.0.0.0:4566 \
    DATA_DIR=/var/lib/replay-proxy \
    XDG_DATA_HOME=/var/lib/replay-proxy/.data
# The user's number is fixed, so that the owner of a mounted folder can be chosen: chown 10001 FOLDER.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent replay \
    && install -d -m 0700 -o replay -g replay /var/lib/replay-proxy
USER 10001:10001
WORKDIR /var/lib/replay-proxy
VOLUME /var/lib/replay-proxy
EXPOSE 4566 4567
# 503, and so unhealthy, until the state is restored and init scripts have run. The start period is what a restore may take.
HEALTHCHECK --interval=5s --timeout=5s --start-period=300s --start-interval=1s --retries=3 \
    CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:4566/_replay/ready', timeout=4)"]
ENTRYPOINT ["replay-proxy"]
CMD ["serve"]

FROM base AS embedded
COPY --from=build /opt/embedded /opt/embedded
ENV PATH=/opt/embedded/bin:$PATH REPLAY_EMULATOR=moto

# The last stage is what `docker build` makes without --target. It needs REPLAY_UPSTREAM.
FROM base AS proxy
COPY --from=build /opt/proxy /opt/proxy
ENV PATH=/opt/proxy/bin:$PATH
