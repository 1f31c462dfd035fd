#!/usr/bin/env bash
# Makes stand-ins for the base images, under their tags, where these cannot be pulled: from Debian's packages and this
# machine's Rust toolchain and registry. With them, images can be built and run without any image registry.
#
#   stand-ins.sh prepare      makes their files in target/containers/stand-ins (root; needs Debian's mirror)
#   stand-ins.sh load         gives them to the Docker engine, where it does not have these tags
#
# What is different from the real ones: the versions of Redis and nginx, which are those of Debian 12.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
dir=$root/target/containers/stand-ins
suite=bookworm

# DEBIAN_MIRROR, or the one from which this machine has its packages.
own_mirror() {
    local mirrors
    mirrors=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security || true)
    echo "${DEBIAN_MIRROR:-${mirrors%%$'\n'*}}"
}

base_of() { sed -n "s/^ARG $1=//p" "$root/Dockerfile"; }
image_of() { sed -n "s/^ *image: *\($1:[^ ]*\)$/\1/p" "$root/compose.yaml" | head -n 1; }
RUST=$(base_of RUST) RUNTIME=$(base_of RUNTIME) REDIS=$(image_of redis) NGINX=$(image_of nginx)

# system NAME SETUP PACKAGE…: a copy of the base system with more in it. Services are not started in it.
system() {
    local name=$1 setup=$2
    shift 2
    [ ! -e "$dir/$name.done" ] || return 0
    rm -rf "${dir:?}/$name"
    cp -a "$dir/debian" "$dir/$name"
    chroot "$dir/$name" sh -euc "$setup"
    printf '#!/bin/sh\nexit 101\n' > "$dir/$name/usr/sbin/policy-rc.d"
    chmod +x "$dir/$name/usr/sbin/policy-rc.d"
    chroot "$dir/$name" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" > "$dir/$name.log" 2>&1
    rm -rf "$dir/$name/var/cache/apt" "$dir/$name/var/lib/apt/lists"
    touch "$dir/$name.done"
}

prepare() {
    mkdir -p "$dir"
    if ! command -v debootstrap > /dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap > /dev/null
    fi
    if [ ! -e "$dir/debian.done" ]; then
        rm -rf "$dir/debian"
        local mirror
        mirror=$(own_mirror)
        [ -n "$mirror" ] || { echo "apt-get names no mirror of Debian: set DEBIAN_MIRROR" >&2; return 1; }
        debootstrap --variant=minbase "$suite" "$dir/debian" "$mirror" > "$dir/debian.log"
        touch "$dir/debian.done"
    fi
    # The users have the numbers of the official images, which own the volumes.
    system redis 'groupadd -r -g 999 redis; useradd -r -g redis -u 999 redis; install -d -o redis -g redis /data' \
        redis-server redis-tools
    system nginx 'groupadd -r -g 101 nginx; useradd -r -g nginx -u 101 nginx' nginx-light curl
    system rust true gcc libc6-dev
    if [ ! -e "$dir/rust/usr/local/rustup" ]; then
        local toolchain
        toolchain=$(rustc --print sysroot)
        mkdir -p "$dir/rust/usr/local/rustup" "$dir/rust/usr/local/cargo/registry"
        tar -C "$toolchain" --exclude ./share --exclude './bin/*clippy*' --exclude './bin/rustdoc' \
            --exclude './libexec' -c . | tar -C "$dir/rust/usr/local/rustup" -x
    fi
    # The crates of Cargo.lock, so that the build needs no network.
    cargo fetch --locked --manifest-path "$root/Cargo.toml"
    local registry=${CARGO_HOME:-$HOME/.cargo}/registry
    tar -C "$registry" -c cache index | tar -C "$dir/rust/usr/local/cargo/registry" -x
}

load() {
    local image=$1 name=$2 known key
    shift 2
    key=$suite-$(cat "$root/Cargo.lock" "$0" | cksum | tr ' ' -)
    if known=$(docker image inspect --format '{{index .Config.Labels "shardcart.stand-in"}}' "$image" 2> /dev/null); then
        # The real one, or a stand-in that is up to date.
        case $known in "" | "$key") return ;; esac
    elif [ "${SHARDCART_ENGINE:-}" != inside ] && docker pull --quiet "$image" > /dev/null 2>&1; then
        return
    fi
    [ -e "$dir/$name.done" ] || prepare
    echo "a stand-in for $image"
    tar -C "$dir/$name" -c . | docker import "$@" --change "LABEL shardcart.stand-in=$key" - "$image" > /dev/null
}

case ${1:-} in
prepare) prepare ;;
load)
    load "$RUNTIME" debian --change 'CMD ["bash"]'
    load "$RUST" rust --change 'ENV PATH=/usr/local/rustup/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change 'ENV CARGO_HOME=/usr/local/cargo' --change 'ENV CARGO_NET_OFFLINE=true'
    load "$REDIS" redis --change 'WORKDIR /data' --change 'VOLUME /data' --change 'EXPOSE 6379' \
        --change 'CMD ["redis-server"]'
    load "$NGINX" nginx --change 'CMD ["nginx", "-g", "daemon off;"]'
    ;;
*) sed -n '2,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
