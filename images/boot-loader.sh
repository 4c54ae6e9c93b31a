# Sourced by images/build: GRUB for the board, as files in $out/grub.

modules='part_gpt fat squash4 normal linux loadenv regexp hashsum gcry_sha256 test echo serial terminal configfile minicmd sleep reboot halt'

make_boot_loader() {
  rm -rf "$out/grub"; mkdir -p "$out/grub"
  # A prefix without a disk means the one that GRUB itself was read from; partition 2 is the ESP.
  case $board in
    pc)
      in_tools grub-mkimage -O i386-pc -o "/build/$slots/grub/core.img" -p '(,gpt2)/moat' -c /tree/images/grub/embedded.cfg $modules biosdisk
      in_tools grub-mkimage -O x86_64-efi -o "/build/$slots/grub/boot.efi" -p '(,gpt2)/moat' -c /tree/images/grub/embedded.cfg $modules efi_gop
      cp "$build/tools-$arch/usr/lib/grub/i386-pc/boot.img" "$out/grub/"
      efi_name=BOOTX64.EFI
      ;;
    arm64-efi | rpi4)
      in_tools grub-mkimage -O arm64-efi -d "/build/$slots/kernel/usr/lib/grub/arm64-efi" -o "/build/$slots/grub/boot.efi" -p '(,gpt2)/moat' \
        -c /tree/images/grub/embedded.cfg $modules efi_gop
      efi_name=BOOTAA64.EFI
      ;;
  esac
}

# What the firmware of a Raspberry Pi 4 reads from the first FAT partition, beside GRUB: its own second stage, U-Boot, the device tree.
rpi4_files() {
  local firmware=$out/kernel/usr/lib/raspi-firmware
  cp "$firmware/start4.elf" "$firmware/fixup4.dat" "$out/kernel/usr/lib/u-boot/rpi_4/u-boot.bin" "$out/grub/"
  cp "$(find "$out/kernel/usr/lib" -name bcm2711-rpi-4-b.dtb | head -n 1)" "$out/grub/"
  printf '%s\n' arm_64bit=1 kernel=u-boot.bin enable_uart=1 >"$out/grub/config.txt"
  # On its pins is the small port, the second one of the device tree.
  sed -i 's/ttyAMA0/ttyS1/' "$out/grub/grub.cfg"
}

# le VALUE OCTETS: a little-endian number.
le() { local i; for ((i = 0; i < $2; i++)); do printf "\\x$(printf %02x $((($1 >> (8 * i)) & 255)))"; done; }

# put FILE OFFSET < octets
put() { dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# install_bios IMAGE FIRST_SECTOR: what grub-bios-setup does, without a block device.
install_bios() {
  local image=$1 first=$2
  dd if="$out/grub/boot.img" of="$image" bs=440 count=1 conv=notrunc status=none
  # boot.img: where the next stage is (0x5c), and that the disk number of the firmware is to be believed (0x66).
  le "$first" 8 | put "$image" 92
  printf '\x90\x90' | put "$image" 102
  dd if="$out/grub/core.img" of="$image" bs=512 seek="$first" conv=notrunc status=none
  # The first sector of core.img lists where its rest is: at the next sector (0x1f4); the length is there already.
  le $((first + 1)) 8 | put "$image" $((first * 512 + 500))
}
