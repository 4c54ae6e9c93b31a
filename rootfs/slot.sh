# Sourced by rootfs/build: from the finished $root to the two files of a slot, root.img and boot.img.

# needs FILE: prints the shared libraries (paths below the root) that a program needs, and theirs.
needs() {
  local name found
  in_tools readelf -d "/build/$slots/root/$1" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r name; do
    # Not every processor has each of the folders.
    found=$(cd "$root" && { find usr/lib/*-linux-gnu* usr/lib64 usr/lib -maxdepth 1 -name "$name" 2>/dev/null || true; } | head -n 1)
    [ -n "$found" ] || continue
    echo "$found"
    needs "$found"
  done
}

make_initramfs() {
  local tree=$out/initramfs module file name
  rm -rf "$tree"; mkdir -p "$tree"/{bin,lib,proc,sys,dev,run,root,tmp,usr/lib/modules/"$release"}
  cp "$root/usr/bin/busybox" "$tree/bin/busybox"
  for name in sh mount umount cat cut echo find grep head mkdir modprobe printf reboot seq sleep sort switch_root sync tail tr xargs dd rm; do
    ln -s busybox "$tree/bin/$name"
  done
  cp "$root/usr/sbin/dmsetup" "$tree/bin/dmsetup"
  { needs usr/sbin/dmsetup; (cd "$root" && find usr/lib -maxdepth 2 -name 'ld-linux-*.so.*'); } | sort -u | while read -r file; do
    mkdir -p "$tree/$(dirname "$file")"; cp -L "$root/$file" "$tree/$file"
  done
  # Where the loader itself is looked for differs by architecture.
  case $arch in
    amd64) mkdir -p "$tree/lib64"; ln -s "../$(cd "$tree" && ls usr/lib/*/ld-linux-x86-64.so.2)" "$tree/lib64/" ;;
    arm64) ln -s "../$(cd "$tree" && ls usr/lib/*/ld-linux-aarch64.so.1)" "$tree/lib/" ;;
  esac
  ln -s ../usr/lib/modules "$tree/lib/modules"
  cp "$top/rootfs/initramfs/init" "$tree/init"; cp "$top/rootfs/initramfs/slots.sh" "$tree/lib/slots.sh"
  chmod 755 "$tree/init"
  local lists=("$top/rootfs/initramfs/modules.txt")
  [ "$side" = home ] || lists+=("$top/rootfs/initramfs/modules-portal.txt")
  grep -hv '^#' "${lists[@]}" | xargs -n 1 echo | while read -r module; do
    in_tools modprobe -d "/build/$slots/root" -S "$release" --show-depends -q "$module" 2>/dev/null || true
  done | sed -n "s|^insmod .*/root/\(.*\.ko[^ ]*\).*|\1|p" | sort -u | while read -r file; do
    file=${file/#lib\//usr/lib/}
    cp "$root/$file" "$tree/usr/lib/modules/$release/"
  done
  cp "$root/usr/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$tree/usr/lib/modules/$release/"
  in_tools depmod -b "/build/$slots/initramfs" "$release"
  find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  in_tools sh -c "cd /build/$slots/initramfs && find . -print0 | LC_ALL=C sort -z | cpio --null --create --format=newc --reproducible --owner=0:0 --quiet | zstd -q -19 -T1" >"$out/initrd"
}

make_root_image() {
  # Times are clamped, owners kept; mksquashfs sorts by itself. SOURCE_DATE_EPOCH sets the superblock's and every file's time.
  in_tools env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" mksquashfs "/build/$slots/root" "/build/$slots/root.img" -noappend -quiet -no-progress \
    -comp zstd -Xcompression-level "${MOAT_COMPRESSION:-15}" -b 256K -no-xattrs -processors "${MOAT_BUILD_PROCESSORS:-2}"
  truncate -s %4096 "$out/root.img"
  blocks=$(($(stat -c %s "$out/root.img") / 4096))
  salt=$(sha256sum <"$out/root.img" | cut -c 1-64)
  hash=$(in_tools veritysetup format --no-superblock --salt="$salt" --data-blocks="$blocks" --hash-offset=$((blocks * 4096)) \
    "/build/$slots/root.img" "/build/$slots/root.img" | sed -n 's/^Root hash:[[:space:]]*//p')
  [ ${#hash} = 64 ] || fail 'veritysetup printed no root hash'
}

make_boot_image() {
  local tree=$out/boot
  rm -rf "$tree"; mkdir -p "$tree"
  cp "$out/kernel/boot/vmlinuz-$release" "$tree/vmlinuz"
  cp "$out/initrd" "$tree/initrd"
  printf 'set moat_version=%s\nset moat_root="moat.hash=%s moat.salt=%s moat.blocks=%s"\n' "$version" "$hash" "$salt" "$blocks" >"$tree/boot.cfg"
  (cd "$tree" && sha256sum boot.cfg initrd vmlinuz >SHA256)
  # Uncompressed: GRUB reads it, and everything in it is compressed already.
  in_tools env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" mksquashfs "/build/$slots/boot" "/build/$slots/boot.img" -noappend -quiet -no-progress \
    -noI -noD -noF -noX -no-xattrs -all-root -processors 1
  truncate -s %4096 "$out/boot.img"
}

say 'initramfs'; make_initramfs
say 'root slot'; make_root_image
say 'boot slot'; make_boot_image
printf '{ "version": "%s", "serial": %s, "board": "%s", "rootHash": "%s", "rootBytes": %s, "bootBytes": %s }\n' \
  "$version" "$serial" "$board" "$hash" "$(stat -c %s "$out/root.img")" "$(stat -c %s "$out/boot.img")" >"$out/slot.json"
say "$slots: root $(($(stat -c %s "$out/root.img") / 1048576)) MiB, boot $(($(stat -c %s "$out/boot.img") / 1048576)) MiB, root hash $hash"
