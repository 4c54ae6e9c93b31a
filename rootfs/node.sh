# Sourced by rootfs/build: Node for the box's processor. npm installs the one of this machine; another one is fetched and checked
# against the integrity that package-lock.json has for it.
# Sets node_inside: its folder as the room of tools sees it.

node_package=node-linux-$node_arch
node_inside=/tree/node_modules/$node_package

locked_node() { node -p 'require(process.argv[1]).packages[process.argv[2]][process.argv[3]]' "$top/package-lock.json" "node_modules/$node_package" "$1"; }

if [ ! -x "$top/node_modules/$node_package/bin/node" ]; then
  node_version=$(locked_node version)
  folder=$build/$node_package-$node_version
  node_inside=/build/$(basename "$folder")/package
  if [ ! -x "$folder/package/bin/node" ]; then
    say "fetching Node $node_version for $arch"
    rm -rf "$folder"; mkdir -p "$folder"
    npm pack --silent --pack-destination "$folder" "$node_package@$node_version" >/dev/null || fail "npm brings no $node_package@$node_version"
    integrity=sha512-$(node -p 'require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64")' "$folder"/*.tgz)
    [ "$integrity" = "$(locked_node integrity)" ] || fail "$node_package is not what package-lock.json says"
    tar -xzf "$folder"/*.tgz -C "$folder"
    rm "$folder"/*.tgz
  fi
fi
