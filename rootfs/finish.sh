# Sourced by rootfs/build: turns the bootstrapped Debian in $root into the box.

version=$(node -p 'require(process.argv[1]).version' "$top/package.json")
# A build between releases says which commit it is; the number is what updates compare.
serial=$SOURCE_DATE_EPOCH
release=$(basename "$(echo "$out"/kernel/boot/vmlinuz-*)"); release=${release#vmlinuz-}
product=$root/usr/lib/moat

say 'copying kernel modules, appliance and addon'
cp -a "$out/kernel/usr/lib/modules" "$root/usr/lib/"
# The slot is compressed as a whole: unpacking a driver twice costs a small processor seconds at every start.
in_tools find "/build/$slots/root/usr/lib/modules" -name '*.ko.xz' -exec xz -d {} +

mkdir -p "$product/node_modules/.bin"
install -D -m 755 "$top/appliance/bin/moat" "$product/appliance/bin/moat"
install -m 644 "$top/package.json" "$product/package.json"
make_addons
in_tools "$strip" --strip-all -o "/build/$slots/root/usr/lib/moat/node_modules/.bin/node" "$node_inside/bin/node"
"$top/node_modules/.bin/node" "$top/rootfs/compile.ts" "$product" "$side" >"$out/outside.txt" || fail 'the box'"'"'s programs do not compile'
"$top/node_modules/.bin/node" "$top/rootfs/runtime-packages.ts" $(cat "$out/outside.txt") | while read -r package; do
  mkdir -p "$product/$(dirname "$package")"
  cp -a "$top/$package" "$product/$(dirname "$package")/"
done
find "$product/node_modules" \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name test -o -name '*.md' -o -name 'src' \) \
  -not -path '*/.bin/*' -prune -exec rm -rf {} +
ln -sfn /usr/lib/moat/appliance/bin/moat "$root/usr/bin/moat"
ln -sfn /usr/lib/moat/node_modules/.bin/node "$root/usr/bin/node"

say 'configuring'
cp -a "$top/rootfs/overlay/." "$root/"
[ "$side" = home ] || source "$top/rootfs/portal/install.sh"
chroot "$root" systemd-sysusers >/dev/null 2>&1 || fail 'systemd-sysusers failed in the root'
chroot "$root" systemctl --quiet mask getty.target chrony.service ssh.service ssh.socket systemd-timesyncd.service >/dev/null 2>&1 || true
chroot "$root" systemctl --quiet enable systemd-networkd.service moat-prepare.service moat-early-firewall.service moat.service moat-health.service \
  moat-console.service moat-ssh.service moat-follow.path moat-follow.service moat-keep.path 2>/dev/null
ln -sfn /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
chroot "$root" passwd --quiet --lock root
prune() {
  local line
  while read -r line; do
    case $line in '#'* | '') continue ;; esac
    # The patterns are meant to be expanded, below the root.
    (cd "$root" && rm -rf $line)
  done <"$1"
}
prune "$top/rootfs/prune.txt"
[ "$side" = portal ] || prune "$top/rootfs/prune-home.txt"
mkdir -p "$product/update-keys"
"$top/node_modules/.bin/node" "$top/images/signing.ts" public >"$product/update-keys/release.pub"
: >"$root/etc/machine-id"
rm -rf "$root/etc/resolv.conf"; ln -s /run/moat/resolv.conf "$root/etc/resolv.conf"
printf 'moat %s (%s)\n' "$version" "$serial" >"$root/etc/issue"
printf '{ "version": "%s", "serial": %s, "board": "%s" }\n' "$version" "$serial" "$board" >"$root/usr/lib/moat/release.json"
# The factory copy: /var as a new box has it, read-only for ever.
mkdir -p "$root/usr/share/factory" "$root/var/lib/moat"
rm -rf "$root/usr/share/factory/var"; cp -a "$root/var" "$root/usr/share/factory/var"
in_tools depmod -b "/build/$slots/root" "$release"
rm -rf "$root/boot" "$root/home" "$root/media" "$root/srv" "$root/opt"
find "$root/dev" -mindepth 1 -delete
# One time for everything: when a tree was checked out or a package was unpacked is nobody's business in there.
find "$root" -xdev -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
