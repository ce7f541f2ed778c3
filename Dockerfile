# SPDX-License-Identifier: MIT
# The weft command alone in an image: docker build -t weft . && docker run --rm weft --help
#
# To look at the host, its files and its processes have to be shown to the container:
#   docker run --rm --pid=host -v /:/host:ro weft scan --one-file-system /host
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc make cmake && rm -rf /var/lib/apt/lists/*
COPY . /weft
RUN make -C /weft static

# With a shell, for contrib/kubernetes: docker build --target agent .
FROM debian:12-slim AS agent
COPY --from=build /weft/build/static/weft /weft/contrib/weft-scan-textfile /usr/bin/

FROM scratch
COPY --from=build /weft/build/static/weft /weft
ENTRYPOINT ["/weft"]
CMD ["--help"]
