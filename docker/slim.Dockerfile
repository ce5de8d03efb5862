# An app on Debian under pidone, with a worker for each CPU, instead of pm2. Copy this file beside your package.json as
# Dockerfile, and docker/.dockerignore as .dockerignore. docker/Dockerfile makes the image `pidone`.

# npm stays in this stage. Docker runs it again only when package.json or the lock file has changed.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:22-slim
COPY --from=pidone /pidone /pidone
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY . .
# Each of these variables can be set again by `docker run -e`.
ENV NODE_ENV=production
# A worker for each CPU that `docker run --cpus` allows, or as many as WEB_CONCURRENCY says. Turn this off for a command
# that is not a server, such as a migration: `docker run -e PIDONE_INSTANCES= … node migrate.js`.
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
# root owns the files, so the app can read but not change them.
USER node
EXPOSE 3000
# Healthy when the workers serve. The image needs no curl.
HEALTHCHECK --start-period=30s --interval=10s --timeout=5s CMD ["/pidone", "ctl", "ready"]
ENTRYPOINT ["/pidone", "--"]
# Start node itself. npm would not pass on signals, nor the channel that shares the port among workers.
CMD ["node", "server.js"]
