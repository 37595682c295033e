# One image for every role of the cluster. Debian, not Alpine: the embedded engine needs glibc, and one base is enough.
#
#   docker build -t trunkscope:0.1.0 .                               the roles: capture, store, api, init
#   docker build -t trunkscope:0.1.0 --build-arg ENGINE=embedded .   also `trunkscope start`; 0.5 GB larger
ARG NODE_IMAGE=node:22.22.3-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /trunkscope
COPY package.json package-lock.json ./
RUN npm ci --omit=optional --ignore-scripts
COPY . .
RUN npm run build

FROM ${NODE_IMAGE}
ARG ENGINE=server
LABEL org.opencontainers.image.title="Trunkscope" \
      org.opencontainers.image.description="Carrier-layer SIP observability" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
# openssl makes the secrets of the compose cluster (deploy/secrets.sh).
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates openssl \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /trunkscope
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts \
    && npm cache clean --force \
    && if [ "$ENGINE" != embedded ]; then rm -rf node_modules/chdb node_modules/@chdb; fi
COPY --from=build /trunkscope/dist dist
COPY deploy/secrets.sh deploy/
# A named volume takes over the owner of the folder it is first mounted on: so nothing here has to run as root. Group 10001
# is who may read the secrets: every service joins it and mounts its own folder, no other.
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/trunkscope \
    && for reader in originals kafka clickhouse init capture store api grafana demo; do \
         install --directory --owner=1000 --group=10001 --mode=0750 "/secrets/$reader"; \
       done
USER node
EXPOSE 9060/udp 9060/tcp 9062/tcp 8080/tcp
ENTRYPOINT ["node", "/trunkscope/dist/bin/trunkscope.js"]
CMD ["--help"]
