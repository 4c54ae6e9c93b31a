# Sourced by rootfs/build: lets this machine start programs of the box's processor while its packages are configured.

allow_foreign_programs() {
  [ "$arch" = arm64 ] && [ "$(uname -m)" != aarch64 ] || return 0
  [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || fail 'this kernel has no binfmt_misc: arm64 images need it'
  [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64 || fail 'update-binfmts does not know qemu-aarch64'
}
