# Sourced by the initramfs and by tests: the boot state, 1024 octets in GRUB's environment format, 2048 octets into the
# partition moat-state. `a` and `b` are the tries left of each slot, 0 to 3; GRUB counts them down, the box up again.

# partition NAME: prints the device of the GPT partition of that name; fails where there is none.
partition() {
  for uevent in /sys/class/block/*/uevent; do
    grep -qx "PARTNAME=$1" "$uevent" 2>/dev/null || continue
    device=${uevent%/uevent}
    echo "/dev/${device##*/}"
    return 0
  done
  return 1
}

# slot_condemn STATE SLOT REASON: no tries left for the slot, and why. What else is in the block stays.
slot_condemn() {
  kept=$(dd if="$1" bs=1024 skip=2 count=1 2>/dev/null | tr '#' '\n' | grep -E '^[a-z_]+=[A-Za-z0-9_.-]*$' | grep -v -e "^$2=" -e "^why_$2=")
  { printf '# GRUB Environment Block\n'; [ -z "$kept" ] || printf '%s\n' "$kept"; printf '%s=0\nwhy_%s=%s\n' "$2" "$2" "$3"
    head -c 1024 /dev/zero | tr '\0' '#'; } | head -c 1024 >/tmp/state-block
  # One write of two sectors; all that matters is in the first.
  dd if=/tmp/state-block of="$1" bs=1024 seek=2 count=1 conv=notrunc,fsync 2>/dev/null
}
