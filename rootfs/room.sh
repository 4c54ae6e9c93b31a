# Sourced: where image builds work, and the two rooms of Debian 13 made by mmdebstrap: the tools and the box's own root.
# Everything is below .build/image; packages are fetched once and kept there.

fail() { printf 'moat: %s\n' "$*" >&2; exit 1; }
say() { printf 'moat: %s\n' "$*"; }

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/.build/image
# Every time stamp in every file system: the same commit makes the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || echo 1767225600)}
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC
umask 022
trap 'printf "moat: failed in %s line %s: %s\n" "${BASH_SOURCE[0]}" "$LINENO" "$BASH_COMMAND" >&2' ERR
set -E

# Names of a package list without its reasons, comma separated.
names_of() { sed -n 's/^\([a-z0-9][a-z0-9+.-]*\) .*/\1/p' "$1" | paste -sd,; }

# bootstrap VARIANT ARCHITECTURE PACKAGES TARGET [mmdebstrap option...]
bootstrap() {
  local variant=$1 arch=$2 packages=$3 target=$4 cache=$build/apt-cache/$2 mirror security
  # The second stage of a Raspberry Pi is not free software; nothing of it is in the root.
  local components=main; [ "$arch" != arm64 ] || components='main non-free-firmware'
  local signed='signed-by=/usr/share/keyrings/debian-archive-keyring.gpg'
  shift 4
  mirror=$("$top/rootfs/mirror") security=$("$top/rootfs/mirror" --security)
  mkdir -p "$cache"
  mmdebstrap --quiet --variant="$variant" --architectures="$arch" --include="$packages" --skip=essential/unlink \
    --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --setup-hook='mkdir -p "$1/var/cache/apt/archives/"' --setup-hook="sync-in $cache /var/cache/apt/archives/" \
    --customize-hook="sync-out /var/cache/apt/archives $cache" "$@" \
    trixie "$target" "deb [$signed] $mirror trixie $components" "deb [$signed] $mirror trixie-updates $components" \
    "deb [$signed] $security trixie-security $components"
}

# The tools (a room for each processor that is built for, because of the compilers), made again only when their list changes.
make_tools() {
  local room=$build/tools-$arch lists=("$top/rootfs/tools.txt")
  [ ! -e "$top/rootfs/tools.$arch.txt" ] || lists+=("$top/rootfs/tools.$arch.txt")
  cat "${lists[@]}" | cmp -s - "$room/.list" && return
  say 'making the room of tools (Debian 13)'
  rm -rf "$room"
  bootstrap essential amd64 "$(for list in "${lists[@]}"; do names_of "$list"; done | paste -sd,)" "$room"
  cat "${lists[@]}" >"$room/.list"
}

# in_tools COMMAND...: runs it in the room of tools, with the build folder at /build and the tree at /tree.
in_tools() {
  unshare --mount --propagation private bash -c '
    mkdir -p "$1/build" "$1/tree"
    mount --bind "$2" "$1/build" && mount --bind "$3" "$1/tree" && mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev"
    root=$1; shift 3; exec chroot "$root" /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' \
    in_tools "$build/tools-$arch" "$build" "$top" "$@"
}
