import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programs } from './packages.ts';

/** Where a client runs: a network namespace, and its interface there. */
export interface Place {
  readonly name: string;
  readonly device: string;
  /** The process is the command itself, so that signals reach it. */
  spawn(command: readonly string[]): ChildProcess;
  /** @throws {Error} when the command fails. */
  in(...command: string[]): Promise<string>;
}

/** One of other people's clients, running in the foreground. */
export interface Client {
  readonly place: Place;
  start(): void;
  /** Asks for a renewal now, where the client can be told to; others are waited for. */
  renew(): void;
  /** Gives the lease back and ends. */
  release(): Promise<void>;
  /** Ends without a word, as by a power cut. */
  kill(): Promise<void>;
}

const udhcpcScript = `#!/bin/sh
case $1 in
  deconfig) ip -4 addr flush dev $interface ;;
  bound|renew)
    ip addr replace $ip/$mask dev $interface
    [ -z "$router" ] || ip route replace default via $router ;;
esac
`;

const dhclientScript = `#!/bin/sh
case $reason in
  BOUND|RENEW|REBIND|REBOOT)
    ip addr replace $new_ip_address/$new_subnet_mask dev $interface
    ip route replace default via $new_routers ;;
  EXPIRE|FAIL|RELEASE|STOP) ip -4 addr flush dev $interface ;;
esac
[ -z "$new_dhcp6_name_servers" ] || set | grep '^new_' > "$(dirname "$0")/dhclient6.out"
`;

function writeScript(directory: string, name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

class Running {
  process: ChildProcess | undefined;

  async end(signal: NodeJS.Signals): Promise<void> {
    const { process } = this;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    process.kill(signal);
    await once(process, 'exit');
  }
}

export function udhcpc(place: Place, directory: string): Client {
  const script = writeScript(directory, 'udhcpc.sh', udhcpcScript);
  const running = new Running();
  return {
    place,
    start: () => {
      // -R: release on exit
      const options = ['-f', '-R', '-i', place.device, '-s', script, '-x', 'hostname:udhcpc-box'];
      running.process = place.spawn([programs.busybox, 'udhcpc', ...options]);
    },
    renew: () => running.process?.kill('SIGUSR1'),
    release: () => running.end('SIGTERM'),
    kill: () => running.end('SIGKILL'),
  };
}

export interface IscClient extends Client {
  readonly leaseFile: string;
  /** What it runs at every change; of the IPv6 one the answer is left beside it, in dhclient6.out. */
  readonly script: string;
}

export function dhclient(place: Place, directory: string): IscClient {
  const { name, device } = place;
  const script = writeScript(directory, 'dhclient.sh', dhclientScript);
  const config = join(directory, `${name}.conf`);
  writeFileSync(
    config,
    'send host-name "isc-box";\nretry 5;\ninitial-interval 2;\ninitial-delay 0;\nbackoff-cutoff 3;\n',
  );
  const leaseFile = join(directory, `${name}.leases`);
  const command = [programs.dhclient, '-4', '-cf', config, '-sf', script, '-lf', leaseFile];
  const pidFile = join(directory, `${name}.pid`);
  const running = new Running();
  return {
    place,
    leaseFile,
    script,
    start: () => {
      running.process = place.spawn([...command, '-pf', pidFile, '-d', device]);
    },
    renew: () => undefined,
    release: async () => {
      await place.in(...command, '-pf', pidFile, '-r', device);
      await running.end('SIGKILL');
    },
    kill: () => running.end('SIGKILL'),
  };
}

export function dhcpcd(place: Place, directory: string): Client {
  const config = join(directory, 'dhcpcd.conf');
  writeFileSync(config, 'hostname dhcpcd-box\nclientid\noption rapid_commit\nrequire dhcp_server_identifier\n');
  // Its files are at fixed places: a tmpfs of this process' own stands over them.
  const places = 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib';
  const command = `${places} && exec ${programs.dhcpcd} -B -4 -f '${config}' -c /bin/true ${place.device}`;
  const running = new Running();
  return {
    place,
    start: () => {
      running.process = place.spawn(['sh', '-c', command]);
    },
    renew: () => undefined,
    release: () => running.end('SIGALRM'),
    kill: () => running.end('SIGKILL'),
  };
}

const networkdConfig = (device: string) =>
  `[Match]\nName=${device}\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n[DHCPv4]\nHostname=networkd-box\nSendHostname=yes\n`;

export function networkd(place: Place, directory: string): Client {
  const config = join(directory, '00-lan.network');
  writeFileSync(config, networkdConfig(place.device));
  mkdirSync(directory, { recursive: true });
  // Without a writable /sys it does not wait for udev, which knows nothing of namespaces.
  const places = [
    'mount -t tmpfs -o mode=755 tmpfs /run',
    'mkdir -p /run/systemd/network',
    `cp '${config}' /run/systemd/network/`,
    'mount -o remount,ro /sys',
  ].join(' && ');
  const running = new Running();
  return {
    place,
    start: () => {
      running.process = place.spawn(['sh', '-c', `${places} && exec ${programs.networkd}`]);
    },
    renew: () => undefined,
    release: () => running.end('SIGTERM'),
    kill: () => running.end('SIGKILL'),
  };
}
