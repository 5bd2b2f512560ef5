# Stowage in one image: `docker run … stowage serve` (the default), `worker`, `migrate` or `up`. See docs/settings.md.
#
# MySQL's and MongoDB's clients come from their official images, because Debian has no package of them. Leave them out with
# `--build-arg MYSQL_CLIENTS=without` and `--build-arg MONGODB_TOOLS=without`. Then `check-tools` (image/check-tools) tells what a
# built image has.
ARG MYSQL_CLIENTS=with
ARG MONGODB_TOOLS=with

FROM node:24-bookworm-slim AS mysql-without
RUN mkdir /tools

FROM node:24-bookworm-slim AS mysql-with
COPY --from=mysql:8.4 /usr/bin/mysql /usr/bin/mysqldump /tools/

FROM mysql-${MYSQL_CLIENTS} AS mysql

FROM node:24-bookworm-slim AS mongodb-without
RUN mkdir /tools

FROM node:24-bookworm-slim AS mongodb-with
COPY --from=mongo:8 /usr/bin/mongodump /usr/bin/mongorestore /tools/

FROM mongodb-${MONGODB_TOOLS} AS mongodb

FROM node:24-bookworm-slim AS build
WORKDIR /stowage
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ormconfig.ts ./
COPY migrations ./migrations
COPY src ./src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
# The tools for dumps and restores. util-linux has setpriv, which runs each tool under a uid of its own and ends it together
# with its worker.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libgssapi-krb5-2 libncurses6 libnss-wrapper libssl3 mariadb-client tini util-linux zstd \
 && rm -rf /var/lib/apt/lists/* \
 && mariadb-dump --version && mariadb --version && zstd --version && setpriv --version \
 && mkdir -p /var/lib/stowage \
 && chown node:node /var/lib/stowage
# PostgreSQL's clients of every supported major version. An empty argument leaves them out.
ARG POSTGRESQL_CLIENTS="postgresql-client-14 postgresql-client-15 postgresql-client-16 postgresql-client-17 postgresql-client-18"
RUN apt-get update \
 && apt-get install -y --no-install-recommends postgresql-common \
 && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
 && apt-get install -y --no-install-recommends $POSTGRESQL_CLIENTS \
 && rm -rf /var/lib/apt/lists/*
COPY --from=mysql /tools/ /opt/mysql/bin/
COPY --from=mongodb /tools/ /opt/mongodb-database-tools/bin/
WORKDIR /stowage
COPY --from=build /stowage/package.json ./
COPY --from=build /stowage/node_modules ./node_modules
COPY --from=build /stowage/dist ./dist
COPY LICENSE ./
COPY image/as-service image/check-tools /usr/local/bin/
RUN ln -s /stowage/dist/src/main.js /usr/local/bin/stowage \
 && chmod 755 /stowage/dist/src/main.js /usr/local/bin/as-service /usr/local/bin/check-tools

ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 STOWAGE_DATA=/var/lib/stowage
EXPOSE 4000
STOPSIGNAL SIGTERM
# This check is for the API. A worker has no HTTP server, so run it with --no-healthcheck. Its heartbeat shows that it runs.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# No USER: the entry point becomes the user `node`, and keeps what it needs to run tools under other uids.
ENTRYPOINT ["tini", "--", "as-service", "node", "stowage"]
CMD ["serve"]
