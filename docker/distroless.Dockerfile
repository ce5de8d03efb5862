# An app in a distroless image (no shell, no npm) under pidone, with a worker for each CPU, instead of pm2. Copy this
# file beside your package.json as Dockerfile, and docker/.dockerignore as .dockerignore. docker/Dockerfile makes the
# image `pidone`.

# The same Debian as in the second stage, for modules that npm compiles.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
COPY . .

# The user `nonroot` has no privileges.
FROM gcr.io/distroless/nodejs22-debian12:nonroot
COPY --from=pidone /pidone /pidone
WORKDIR /app
COPY --from=build /app ./
# Each of these variables can be set again by `docker run -e`.
ENV NODE_ENV=production
# A worker for each CPU that `docker run --cpus` allows, or as many as WEB_CONCURRENCY says. Turn this off for a command
# that is not a server, such as a migration: `docker run -e PIDONE_INSTANCES= … migrate.js`.
ENV PIDONE_INSTANCES=auto
# Before a worker closes, it answers with `Connection: close` for 2 s. Without that, clients that keep connections open
# lose requests in a reload or a stop. Clients that pause for longer between requests need 5s.
ENV PIDONE_HTTP_DRAIN=2s
# Then its requests have up to 7 s to end. `docker stop` kills after 10 s, so these two times must add up to less. For
# longer requests, raise both this and Docker's time: `docker run --stop-timeout 40`, `stop_grace_period: 40s`.
ENV PIDONE_GRACE=7s
# An event loop that is blocked for 30 s, as by an endless loop, seldom recovers. pidone kills that worker, and starts
# another.
ENV PIDONE_HANG_TIMEOUT=30s
EXPOSE 3000
# Healthy when the workers serve. In the exec form, as there is no shell; pidone is its own client.
HEALTHCHECK --start-period=30s --interval=10s --timeout=5s CMD ["/pidone", "ctl", "ready"]
# The image's own entrypoint is node. This one replaces it, so it names node by its path, which is not in PATH.
ENTRYPOINT ["/pidone", "--", "/nodejs/bin/node"]
CMD ["server.js"]
