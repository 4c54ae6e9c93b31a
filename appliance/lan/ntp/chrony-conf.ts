import type { NtpConfig } from '../../config/ntp.ts';
import { familyOf } from '../../lib/ip.ts';

/** Names of chronyd's files in its folder. */
export const files = { conf: 'chrony.conf', socket: 'chronyd.sock', drift: 'drift', pid: 'chronyd.pid' } as const;

/**
 * chrony.conf(5) for a configuration. `folder`: where chronyd finds its files.
 *
 * Steps happen only in the first three updates, before anybody can have relied on us; from then on the clock is slewed
 * and time never goes backwards. Leap seconds are slewed for the same reason. Control is by Unix socket only.
 */
export function chronyConf(config: NtpConfig, folder: string): string {
  return [
    '# Written by moat; changes here are overwritten.',
    ...config.sources.map(sourceLine),
    ...config.listen.map((address) => `bindaddress ${address}`),
    ...(config.interface === undefined ? [] : [`binddevice ${config.interface}`]),
    `port ${config.port}`,
    ...config.clients.map((prefix) => `allow ${prefix}`),
    `local stratum ${config.localStratum}`,
    ...(config.steersClock ? ['makestep 1 3', 'maxslewrate 1000', 'leapsecmode slew', 'rtcsync'] : []),
    `driftfile ${folder}/${files.drift}`,
    `pidfile ${folder}/${files.pid}`,
    'cmdport 0',
    `bindcmdaddress ${folder}/${files.socket}`,
    // One answer in 2 s on average for each client, bursts of 16: devices poll every 64 s.
    'ratelimit interval 1 burst 16 leak 2',
    'clientloglimit 1048576',
    '',
  ].join('\n');
}

function sourceLine({ host, kind, port, prefer, minPoll, maxPoll }: NtpConfig['sources'][number]): string {
  const words = [kind, host, 'iburst', `minpoll ${minPoll}`, `maxpoll ${maxPoll}`];
  if (port !== 123) words.push(`port ${port}`);
  if (prefer) words.push('prefer');
  return words.join(' ');
}

/**
 * chronyd's own arguments: in the foreground, log to stderr; `isRoot`: then it gives up root for its user. Otherwise the two
 * capabilities that it needs are all that it gets, and it is told not to ask for the whole of root.
 */
export function chronydArguments(config: NtpConfig, folder: string, isRoot: boolean): string[] {
  const args = ['-d', '-f', `${folder}/${files.conf}`];
  if (!config.steersClock) args.push('-x');
  args.push(...(isRoot ? ['-u', config.user] : ['-U']));
  if (config.listen.every((address) => familyOf(address) === 4) && onlyLiteral4(config)) args.push('-4');
  return args;
}

/** Without IPv6 anywhere, chronyd need not open IPv6 sockets. */
function onlyLiteral4(config: NtpConfig): boolean {
  return config.sources.every(({ host }) => /^[\d.]+$/.test(host));
}
