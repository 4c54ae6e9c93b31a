import type { World } from '../lab/world.ts';
import { type CpuTime, cpuTime, spent } from './cpu.ts';

export interface TcpOptions {
  readonly streams: number;
  /** Whole seconds: iperf3 takes no others. */
  readonly seconds: number;
  readonly direction: 'up' | 'down';
}

export interface TcpResult {
  readonly bitsPerSecond: number;
  readonly octets: number;
  readonly cpu: CpuTime;
}

/** Bulk TCP between pc and corp, as the receiver counts it. Needs `iperf3 -s` in corp. */
export async function bulkTcp(world: World, { streams, seconds, direction }: TcpOptions): Promise<TcpResult> {
  const gateways = [world.moat, world.portal];
  const from = await cpuTime(gateways);
  const reverse = direction === 'down' ? ['-R'] : [];
  const command = ['iperf3', '-c', world.addresses.corp.v4, '-t', `${seconds}`, '-P', `${streams}`, '-J', ...reverse];
  const report = JSON.parse(await world.pc.must(command, { timeout: (seconds + 20) * 1000 })) as {
    end: { sum_received: { bytes: number; bits_per_second: number } };
  };
  const cpu = spent(from, await cpuTime(gateways));
  const { bytes, bits_per_second } = report.end.sum_received;
  return { octets: bytes, bitsPerSecond: bits_per_second, cpu };
}
