# syntax=docker/dockerfile:1
#
#	docker build -t shallow .
#	docker run --rm -v "$PWD":/work -v shallow-hub:/home/shallow/.cache/huggingface shallow inspect Qwen/Qwen3-0.6B
#
# The program is static: nothing else is in the image but the certificates that the hub's downloads are checked by. It runs as
# user 65532; where /work is yours alone, add --user "$(id -u):$(id -g)".

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off GOAMD64=v1 GOARM64=v8.0
# As in internal/release, whose test compares the two.
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w" -o /image/usr/local/bin/shallow ./cmd/shallow
# A named volume takes its owner from the folder that it covers.
RUN mkdir -p /image/etc/ssl/certs /image/tmp /image/work /image/home/shallow/.cache/huggingface \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && echo 'shallow:x:65532:65532::/home/shallow:/sbin/nologin' > /image/etc/passwd \
    && chown -R 65532:65532 /image/work /image/home/shallow \
    && chmod 1777 /image/tmp

FROM scratch
LABEL org.opencontainers.image.title="shallow" \
      org.opencontainers.image.description="Makes open-weight language models shallower: measure, plan, prune, heal." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
COPY LICENSE /
ENV HOME=/home/shallow PATH=/usr/local/bin
USER 65532:65532
WORKDIR /work
# shallow serve's port. In a container it must listen beyond the loopback: serve MODEL --host 0.0.0.0 --api-key KEY
EXPOSE 8000
ENTRYPOINT ["shallow"]
CMD ["--help"]
