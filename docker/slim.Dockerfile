# An app on Debian under pidone, with a worker for each CPU, in place of pm2. Copy this beside your package.json as
# Dockerfile, with a .dockerignore that names node_modules. docker/Dockerfile makes the image `pidone`.

# npm stays behind here; the layer lasts until the lock file changes.
FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:22-slim
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
# Asks pidone whether the workers serve; no curl is needed.
HEALTHCHECK --interval=10s --timeout=5s CMD ["/pidone", "ctl", "ready"]
# `auto`: as many workers as `docker run --cpus` allows CPUs, or as WEB_CONCURRENCY says.
ENTRYPOINT ["/pidone", "-i", "auto", "--"]
# node itself: npm would keep the signals, and the workers' channel, from the app.
CMD ["node", "server.js"]
