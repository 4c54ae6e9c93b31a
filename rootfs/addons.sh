# Sourced by rootfs/build: compiles the addons in the room of tools, against the libc and libstdc++ of the box.

compiler=g++ strip=strip
[ "$arch" != arm64 ] || compiler=aarch64-linux-gnu-g++ strip=aarch64-linux-gnu-strip

make_addons() {
  local tree=$out/addons
  rm -rf "$tree"; mkdir -p "$tree"
  (cd "$top" && git ls-files native | tar -cf - -T -) | tar -xf - -C "$tree"
  mkdir -p "$tree/node_modules"
  ln -s /tree/node_modules/node-addon-api "$tree/node_modules/node-addon-api"
  ln -s "$node_inside" "$tree/node_modules/$node_package"
  local folder target
  for target in native:addon native/lan:lan; do
    folder=${target%:*}
    [ -e "$tree/$folder/Makefile" ] || continue
    in_tools make --no-print-directory -C "/build/$slots/addons/$folder" -j"${MOAT_BUILD_PROCESSORS:-2}" \
      "CXX=$compiler" "NODE_ARCH=$node_arch" "${target#*:}" >"$out/addons.log" 2>&1 || { tail -n 30 "$out/addons.log" >&2; fail "$folder: the addon does not build"; }
  done
  (cd "$tree" && find native -name '*.node') | while read -r folder; do
    in_tools "$strip" --strip-debug "/build/$slots/addons/$folder"
    install -D -m 644 "$tree/$folder" "$product/$folder"
  done
}
