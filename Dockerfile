# All services, one image for each: `docker build --target order .`, or stock, payment, shop. `shop` is there for its
# tools; in containers each service runs on its own. Plain Dockerfile language: it builds with and without BuildKit.

ARG RUST=rust:1.95.0-slim-bookworm
ARG RUNTIME=debian:12.12-slim

FROM ${RUST} AS build
WORKDIR /src
# Others than these are for tests alone: they build sooner what runs slower.
ARG OPT_LEVEL=3
ARG LTO=thin
ENV CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_PROFILE_RELEASE_OPT_LEVEL=${OPT_LEVEL} CARGO_PROFILE_RELEASE_LTO=${LTO}

# The dependencies, from the manifests alone: this layer stays as long as Cargo.lock does.
COPY Cargo.toml Cargo.lock ./
COPY common/types/Cargo.toml common/types/
COPY common/schema/Cargo.toml common/schema/
COPY common/telemetry/Cargo.toml common/telemetry/
COPY common/store/Cargo.toml common/store/
COPY common/http/Cargo.toml common/http/
COPY common/protocol/Cargo.toml common/protocol/
COPY services/order/Cargo.toml services/order/
COPY services/stock/Cargo.toml services/stock/
COPY services/payment/Cargo.toml services/payment/
COPY services/shop/Cargo.toml services/shop/
COPY operator/Cargo.toml operator/
COPY harness/Cargo.toml harness/
COPY harness/shards/Cargo.toml harness/shards/
COPY model/Cargo.toml model/
COPY test/Cargo.toml test/
COPY benchmark/Cargo.toml benchmark/
RUN set -eu; \
    for crate in common/types common/schema common/telemetry common/store common/http common/protocol \
        services/order services/stock services/payment services/shop operator \
        harness harness/shards model test benchmark; do \
        mkdir -p "$crate/src"; \
        touch "$crate/src/lib.rs"; \
    done; \
    mkdir services/shop/src/bin; \
    for program in model/src/main benchmark/src/main services/shop/src/bin/shop services/shop/src/bin/order \
        services/shop/src/bin/stock services/shop/src/bin/payment; do \
        echo 'fn main() {}' > "$program.rs"; \
    done; \
    cargo build --release --locked -p shardcart-shop --bins

# The code. Its files may be older than the empty ones before them, so they are touched: cargo goes by age.
COPY common common
COPY services services
COPY operator operator
RUN set -eu; \
    find common services operator -name '*.rs' -exec touch {} +; \
    cargo build --release --locked -p shardcart-shop --bins; \
    mkdir /programs; \
    cp target/release/order target/release/stock target/release/payment target/release/shop /programs

FROM ${RUNTIME} AS runtime
LABEL org.opencontainers.image.title="Shardcart" \
      org.opencontainers.image.description="A sharded, Redis-backed backend for shops" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# A number, so that Kubernetes can see that it is not root. The programs write to no file.
USER 65532:65532
ENV BIND=0.0.0.0
STOPSIGNAL SIGTERM

FROM runtime AS order
LABEL org.opencontainers.image.title="Shardcart order"
COPY --from=build /programs/order /usr/local/bin/order
EXPOSE 8001 9001
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=3 CMD ["order", "health"]
ENTRYPOINT ["order"]

FROM runtime AS stock
LABEL org.opencontainers.image.title="Shardcart stock"
COPY --from=build /programs/stock /usr/local/bin/stock
EXPOSE 8002 9002
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=3 CMD ["stock", "health"]
ENTRYPOINT ["stock"]

FROM runtime AS payment
LABEL org.opencontainers.image.title="Shardcart payment"
COPY --from=build /programs/payment /usr/local/bin/payment
EXPOSE 8003 9003
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=3 CMD ["payment", "health"]
ENTRYPOINT ["payment"]

FROM runtime AS shop
LABEL org.opencontainers.image.title="Shardcart shop"
COPY --from=build /programs/shop /usr/local/bin/shop
ENTRYPOINT ["shop"]
