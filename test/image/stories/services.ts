/**
 * The LAN's services in the box's own root without QEMU: its programs as they are shipped, its users, its chronyd, in namespaces with two
 * ports. Finds in seconds what a start in QEMU finds in minutes.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSeed } from '../../../rootfs/box/seed.ts';
import { must } from '../../lab/processes.ts';
import { root } from '../chroot.ts';
import type { Ground } from '../ground.ts';
import { lanServices, moatToml } from '../office.ts';
import { lan } from '../street.ts';

/** $0 the root, $1 an empty folder, $2 the configuration. Memory over the root: nothing of it changes. */
const script = `
  mount -t tmpfs t "$1" && mkdir "$1/upper" "$1/work" "$1/root" && r="$1/root" || exit 1
  mount -t overlay o -o "lowerdir=$0,upperdir=$1/upper,workdir=$1/work" "$r" && mount -t proc p "$r/proc" || exit 1
  mount --bind /dev "$r/dev" && mount -t sysfs s "$r/sys" && mount -t tmpfs t "$r/run" && mkdir "$r/run/moat" || exit 1
  cp "$2" "$r/run/moat/moat.json"
  ip link set lo up && ip link add work0 type veth peer name wild0 && ip link set wild0 up && ip link set work0 up || exit 1
  ip address add ${lan.box}/24 dev work0
  exec chroot "$r" sh -c '
    mkdir -p /var/lib/moat/state; moat keygen --out /run/moat/identity.key >/dev/null
    moat run --config /run/moat/moat.json --state /var/lib/moat/state >/run/log 2>&1 & run=$!
    for i in $(seq 60); do sleep 0.5; [ $(ss -Hlntu | grep -c -e :53 -e :123 -e :67) -ge 5 ] && break; done
    ss -Hlntu; echo; ps -eo user:16=,args= | grep -e moat/appliance -e chronyd | grep -v -e grep -e main.ts.run; echo; kill $run; wait $run; grep -e level\\":50 /run/log || true'`;

export async function servicesInTheRoot(ground: Ground): Promise<string> {
  const folder = join(ground.folder, 'services');
  mkdirSync(folder, { recursive: true });
  const { config } = parseSeed(moatToml(ground.office.publicKey) + lanServices());
  writeFileSync(`${folder}.json`, JSON.stringify(config));
  const namespaces = ['unshare', '--mount', '--net', '--pid', '--fork', '--propagation', 'private'];
  const output = await must([...namespaces, 'sh', '-c', script, root, folder, `${folder}.json`], { timeout: 120_000 });
  const [sockets = '', processes = ''] = output.split('\n\n');
  for (const wanted of [
    /tcp.*10\.77\.1\.1:53\s/,
    /udp.*10\.77\.1\.1:53\s/,
    /udp.*10\.77\.1\.1:123\s/,
    /udp.*%work0:67\s/,
  ])
    assert.match(sockets, wanted, `${wanted}: ${output}`);
  assert.doesNotMatch(sockets, /wild0|0\.0\.0\.0:(53|123|67)\s/, 'nothing of it faces the wild side');
  const users = processes
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  assert.deepEqual([...new Set(users)].sort(), ['_chrony', 'moat-dhcp', 'moat-dns', 'moat-tunnel'], output);
  return `DHCP, DNS and NTP on the LAN's address only, each under its own user`;
}
