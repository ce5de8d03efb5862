# An app in a distroless image, with no shell and no npm, under pidone, with a worker for each CPU, in place of pm2. Copy
# this beside your package.json as Dockerfile, with a .dockerignore that names node_modules. docker/Dockerfile makes the
# image `pidone`.

# The same Debian as below, for modules that npm compiles.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
COPY . .

# `nonroot` is a user without rights.
FROM gcr.io/distroless/nodejs22-debian12:nonroot
COPY --from=pidone /pidone /pidone
WORKDIR /app
COPY --from=build /app ./
# `docker stop` kills after 10 s: the workers' time to finish is a little less. Both can be set anew: `docker run -e`.
ENV NODE_ENV=production PIDONE_GRACE=8s
# A worker whose event loop has not turned for so long is killed and replaced.
ENV PIDONE_HANG_TIMEOUT=30s
EXPOSE 3000
# The exec form, as there is no shell: pidone is its own client.
HEALTHCHECK --interval=10s --timeout=5s CMD ["/pidone", "ctl", "ready"]
# The image's own entrypoint is node; this one takes its place, so node is named, and is not in PATH. `auto`: as many
# workers as `docker run --cpus` allows CPUs, or as WEB_CONCURRENCY says.
ENTRYPOINT ["/pidone", "-i", "auto", "--", "/nodejs/bin/node"]
CMD ["server.js"]
