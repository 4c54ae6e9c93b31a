import type { RootRecipe } from '../roots.ts';

/** The programs of others that the LAN's DNS and NTP are measured against, as Debian 12 ships them. */
export const lanPeers: RootRecipe = {
  name: 'lan-peers',
  suite: 'bookworm',
  packages: ['bind9', 'bind9-dnsutils', 'nsd', 'knot', 'dnsperf', 'dnsmasq-base', 'chrony', 'faketime'],
};
