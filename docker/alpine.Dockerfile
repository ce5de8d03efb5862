# An app on Alpine under pidone, with a worker for each CPU, in place of pm2. Copy this beside your package.json as
# Dockerfile, with a .dockerignore that names node_modules. docker/Dockerfile makes the image `pidone`.

# Alpine here, too: what npm compiles or chooses for Debian's C library does not run on Alpine's.
FROM node:22-alpine AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:22-alpine
# The same static binary as everywhere; there is no need for `apk add tini`.
COPY --from=pidone /pidone /pidone
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY . .
# `docker stop` kills after 10 s: the workers' time to finish is a little less. Both can be set anew: `docker run -e`.
ENV NODE_ENV=production PIDONE_GRACE=8s
# A worker whose event loop has not turned for so long is killed and replaced.
ENV PIDONE_HANG_TIMEOUT=30s
# The files are root's: the app may read them, and no more.
USER node
EXPOSE 3000
# Asks pidone whether the workers serve; no wget is needed.
HEALTHCHECK --interval=10s --timeout=5s CMD ["/pidone", "ctl", "ready"]
# `auto`: as many workers as `docker run --cpus` allows CPUs, or as WEB_CONCURRENCY says.
ENTRYPOINT ["/pidone", "-i", "auto", "--"]
# node itself: npm would keep the signals, and the workers' channel, from the app.
CMD ["node", "server.js"]
