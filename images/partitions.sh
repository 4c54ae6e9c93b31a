# Sourced by images/build: the partitions of a board and the file that holds them.
#
#  1 moat-bios    1 MiB   GRUB for BIOS (pc only; the number stays free elsewhere)
#  2 moat-esp    16 MiB   FAT: GRUB for UEFI, grub.cfg. Never written after flashing
#  3 moat-state   4 MiB   raw: boot state, two copies of the vault
#  4 moat-config 32 MiB   FAT: moat.toml, for people
#  5 moat-boot-a 48 MiB   6 moat-root-a 320 MiB   7 moat-boot-b   8 moat-root-b
#  9 moat-data            ext4: /var. The rest of the disk is left free
mib=1048576
# Also in rootfs/box/disk.ts and rootfs/initramfs/slots.sh.
state_sector=4

# Names of partitions and file systems that follow from the content: the same image has the same ones.
identifier() { printf '%s %s' "$1" "$(cat "$out/slot.json")" | sha256sum | sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-4\3-8\4-\5/'; }

make_fat() { # FILE MIB LABEL
  rm -f "$1"; truncate -s $(($2 * mib)) "$1"
  in_tools mkfs.fat --invariant -F 16 -n "$3" -i "$(identifier "$3" | cut -c 1-8)" "${1/#$build//build}" >/dev/null
}

# into_fat FAT SOURCE TARGET: mtools stamps with the time of SOURCE_DATE_EPOCH.
into_fat() { in_tools mcopy -m -o -i "${1/#$build//build}" "${2/#$build//build}" "::$3"; }

make_esp() {
  local image=$out/esp.img
  make_fat "$image" 16 MOAT-BOOT
  cp "$top/images/grub/grub.cfg" "$out/grub/grub.cfg"
  in_tools env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" mmd -i "/build/$slots/esp.img" ::EFI ::EFI/BOOT ::moat
  [ "$board" != rpi4 ] || rpi4_files
  touch -d "@$SOURCE_DATE_EPOCH" "$out/grub"/*
  into_fat "$image" "$out/grub/boot.efi" "EFI/BOOT/$efi_name"
  into_fat "$image" "$out/grub/grub.cfg" moat/grub.cfg
  [ "$board" = rpi4 ] || return 0
  local file
  for file in start4.elf fixup4.dat u-boot.bin bcm2711-rpi-4-b.dtb config.txt; do into_fat "$image" "$out/grub/$file" "$file"; done
}

make_config() {
  local image=$out/config.img
  make_fat "$image" 32 MOAT
  cp "$config" "$out/moat.toml"; cp "$top/images/READ-ME-$side.txt" "$out/READ-ME.txt"
  touch -d "@$SOURCE_DATE_EPOCH" "$out/moat.toml" "$out/READ-ME.txt"
  into_fat "$image" "$out/moat.toml" moat.toml
  into_fat "$image" "$out/READ-ME.txt" READ-ME.txt
  [ -n "$token" ] || return 0
  cp "$token" "$out/moat-enroll.txt"
  touch -d "@$SOURCE_DATE_EPOCH" "$out/moat-enroll.txt"
  into_fat "$image" "$out/moat-enroll.txt" moat-enroll.txt
}

# GRUB writes its environment only into a file of a file system it knows; the box writes the same octets without mounting
# anything. So: a tiny FAT that never changes but in the two sectors of that one file, whose place is fixed.
make_state() {
  local image=$out/state.img
  rm -f "$image"; truncate -s 512K "$image"
  in_tools mkfs.fat --invariant -a -F 12 -s 2 -R 1 -f 1 -r 16 -n MOAT-STATE -i "$(identifier state | cut -c 1-8)" "/build/$slots/state.img" >/dev/null
  { printf '# GRUB Environment Block\nfirst=a\na=3\nb=3\ntrial=\nwhy_a=\nwhy_b=\n'; head -c 1024 /dev/zero | tr '\0' '#'; } | head -c 1024 >"$out/state"
  touch -d "@$SOURCE_DATE_EPOCH" "$out/state"
  into_fat "$image" "$out/state" state
  dd if="$image" bs=512 skip="$state_sector" count=2 status=none | cmp -s - "$out/state" || fail "the boot state is not at sector $state_sector of its partition"
}

make_data() {
  local image=$out/data.img
  rm -f "$image"; truncate -s $((data_mib * mib)) "$image"
  in_tools env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" E2FSPROGS_FAKE_TIME="$SOURCE_DATE_EPOCH" mke2fs -q -t ext4 -L moat-data -m 2 \
    -U "$(identifier data)" -E hash_seed="$(identifier hash)",lazy_itable_init=0,lazy_journal_init=0 \
    -d "/build/$slots/root/usr/share/factory/var" "/build/$slots/data.img"
}

make_image() {
  local image=$1 at=1 sizes="1 16 4 32 48 320 48 320 $data_mib" size number=0 table='' names=(bios esp state config boot-a root-a boot-b root-b data)
  local starts=()
  [ "$(stat -c %s "$out/root.img")" -le $((320 * mib)) ] || fail 'the root does not fit its partition'
  [ "$(stat -c %s "$out/boot.img")" -le $((48 * mib)) ] || fail 'kernel and initramfs do not fit their partition'
  make_esp; make_config; make_state; make_data
  for size in $sizes; do
    local name=${names[$number]} type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
    number=$((number + 1))
    starts[number]=$at
    case $name in
      bios) type=21686148-6449-6E6F-744E-656564454649; [ "$board" = pc ] || { at=$((at + size)); continue; } ;;
      esp) type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B ;;
      config) type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 ;;
    esac
    table+="$number : start=${at}MiB, size=${size}MiB, type=$type, uuid=$(identifier "$name"), name=moat-$name"$'\n'
    at=$((at + size))
  done
  rm -f "$image"; truncate -s $(((at + 1) * mib)) "$image"
  printf 'label: gpt\nlabel-id: %s\nunit: sectors\n\n%s' "$(identifier disk)" "$table" | in_tools sfdisk --quiet "/build/$(basename "$image")"
  local piece
  for piece in 2:esp 3:state 4:config 5:boot 6:root 7:boot 8:root 9:data; do
    dd if="$out/${piece#*:}.img" of="$image" bs=1M seek="${starts[${piece%:*}]}" conv=notrunc,sparse status=none
  done
  [ "$board" != pc ] || install_bios "$image" $((starts[1] * 2048))
}
