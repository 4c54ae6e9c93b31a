import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDhcpSlice } from '../../config/dhcp.ts';
import type { AppendFile, Disk } from './disk.ts';
import { Exchange } from './exchange.ts';
import { Journal } from './files.ts';
import { LeaseTable } from './leases.ts';
import { networksOf } from './network.ts';
import { messageType } from './numbers.ts';
import { type ClientMessage, clientMessage, homeNetwork, macOf, seenReply } from './testing.ts';

// Theory of operation. Clients lease, renew, release and decline over a disk that keeps, at a power cut, only what was
// synced, and of the rest a part chosen by the seed: nothing, a torn piece, or all of it; renames likewise. The power
// is cut at every single disk operation in turn. A client believes in its lease from the ACK on. Afterwards a new
// server starts from what is left, and what the clients believe must still be true.

/** Deterministic chance (mulberry32): 0 up to but not 1. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Inode {
  durable: Uint8Array;
  written: Uint8Array;
}

/** Never settles: whoever waits for it was running when the power went. */
const never = new Promise<never>(() => undefined);

class SimulatedDisk implements Disk {
  operations = 0;
  /** The operation in the middle of which the power goes. */
  cutAt = Number.POSITIVE_INFINITY;
  readonly #random: () => number;
  #durableNames = new Map<string, Inode>();
  #names = new Map<string, Inode>();
  /** Directory changes since the last sync, in order; any first part of them may survive. */
  #pendingNames: Map<string, Inode>[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  get dead(): boolean {
    return this.operations >= this.cutAt;
  }

  async #operation(work: () => void): Promise<void> {
    if (this.dead) return never;
    this.operations += 1;
    if (this.dead && this.#random() < 0.5) return never;
    work();
    await new Promise(setImmediate);
    if (this.dead) return never;
  }

  /** The machine after the cut: only what survived. */
  restart(): void {
    const kept = Math.floor(this.#random() * (this.#pendingNames.length + 1));
    const names = kept > 0 ? this.#pendingNames[kept - 1] : this.#durableNames;
    this.#names = new Map([...(names ?? [])].map(([name, inode]) => [name, this.#survivor(inode)]));
    this.#durableNames = new Map(this.#names);
    this.#pendingNames = [];
    this.cutAt = Number.POSITIVE_INFINITY;
  }

  #survivor({ durable, written }: Inode): Inode {
    const chance = this.#random();
    const tail = written.subarray(durable.length);
    const length = chance < 0.3 ? 0 : chance < 0.6 ? tail.length : Math.floor(this.#random() * (tail.length + 1));
    const left = new Uint8Array(durable.length + length);
    left.set(written.subarray(0, left.length));
    // Blocks that were allocated but never written.
    if (this.#random() < 0.2) left.fill(0, durable.length + Math.floor(this.#random() * length));
    return { durable: left, written: left };
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return this.#names.get(path)?.written;
  }

  async create(path: string): Promise<AppendFile> {
    const inode: Inode = { durable: new Uint8Array(), written: new Uint8Array() };
    await this.#operation(() => this.#rename((names) => names.set(path, inode)));
    return {
      append: (octets) => this.#operation(() => (inode.written = new Uint8Array([...inode.written, ...octets]))),
      sync: () => this.#operation(() => (inode.durable = inode.written)),
      close: async () => undefined,
    };
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operation(() => {
      this.#rename((names) => {
        const inode = names.get(from);
        assert.ok(inode, `rename of ${from}`);
        names.delete(from);
        names.set(to, inode);
      });
    });
  }

  syncDirectory(): Promise<void> {
    return this.#operation(() => {
      this.#durableNames = this.#names;
      this.#pendingNames = [];
    });
  }

  #rename(change: (names: Map<string, Inode>) => void): void {
    const names = new Map(this.#names);
    change(names);
    this.#names = names;
    this.#pendingNames.push(names);
  }
}

const path = '/state/leases.journal';
const leaseMs = 600_000;
const rules = parseDhcpSlice({
  networks: [{ ...homeNetwork, ranges: [{ first: '10.0.0.10', last: '10.0.0.21' }], leaseSeconds: leaseMs / 1000 }],
  probeMilliseconds: 0,
});

/** The world: true time goes on while the server is down, its lease clock does not. */
class World {
  readonly disk: SimulatedDisk;
  readonly random: () => number;
  /** What clients believe: address, who has it and until when in true time. */
  readonly believed = new Map<string, { mac: string; until: number }>();
  time = 0;
  #leases = new LeaseTable();
  #exchange: Exchange | undefined;
  #clockOffset = 0;
  readonly offered = new Map<string, string>();
  /** The transaction whose ACK a client still waits for: one that gave its address up listens to none. */
  readonly #awaited = new Map<string, { xid: number; askedAt: number }>();

  constructor(seed: number) {
    this.random = seeded(seed);
    this.disk = new SimulatedDisk(this.random);
  }

  get leaseClock(): number {
    return this.time - this.#clockOffset;
  }

  async boot(): Promise<void> {
    const found = await Journal.read(this.disk, path);
    assert.equal(found.damaged, 0, 'only the end can be torn');
    const leases = new LeaseTable();
    for (const lease of found.leases) leases.put(lease);
    this.#leases = leases;
    this.#clockOffset = this.time - found.clock;
    const journal = new Journal(this.disk, path, { leases: () => leases, clock: () => this.leaseClock });
    const exchange = new Exchange(leases, {
      commit: (changes) => journal.commit(changes),
      send: (_network, octets, to) => this.#arrived(seenReply(octets, to)),
      ask: () => undefined,
      note: () => undefined,
    });
    exchange.configure({ networks: networksOf(rules), probeMs: 0, quarantineMs: 60_000 });
    this.#exchange = exchange;
  }

  #arrived({ type, xid, yiaddr, octets }: ReturnType<typeof seenReply>): void {
    if (this.disk.dead) return;
    const mac = [...octets.subarray(28, 34)].map((octet) => octet.toString(16).padStart(2, '0')).join(':');
    if (type === messageType.offer) this.offered.set(mac, yiaddr);
    const awaited = this.#awaited.get(mac);
    if (type !== messageType.ack || awaited?.xid !== xid) return;
    const holder = this.believed.get(yiaddr);
    const taken = holder && holder.mac !== mac && holder.until > this.time;
    assert.ok(!taken, `${yiaddr} was given to ${mac}, but ${holder?.mac} has it`);
    for (const [address, own] of this.believed) if (own.mac === mac) this.believed.delete(address);
    // RFC 2131 4.4.5: the client counts from when it asked.
    this.believed.set(yiaddr, { mac, until: awaited.askedAt + leaseMs });
  }

  say(message: ClientMessage & { readonly mac: string }): void {
    const xid = Math.floor(this.random() * 0xffffffff);
    if (message.type === messageType.request) this.#awaited.set(message.mac, { xid, askedAt: this.time });
    else if (message.type !== messageType.discover) this.#awaited.delete(message.mac);
    if (!this.disk.dead) this.#exchange?.receive('lan0', clientMessage({ ...message, xid }), this.leaseClock);
  }

  /** One client does something, without waiting for the others. */
  act(): void {
    const mac = macOf(Math.floor(this.random() * 16));
    const held = [...this.believed].find(([, own]) => own.mac === mac && own.until > this.time)?.[0];
    const chance = this.random();
    const server = '10.0.0.1';
    if (!held || chance < 0.15) {
      this.say({ type: messageType.discover, mac });
      const offer = this.offered.get(mac);
      if (offer) this.say({ type: messageType.request, mac, requested: offer, server });
    } else if (chance < 0.7) this.say({ type: messageType.request, mac, ciaddr: held });
    else {
      // A client that gives an address up no longer believes in it, whether or not the message is heard.
      this.believed.delete(held);
      if (chance < 0.9) this.say({ type: messageType.release, mac, ciaddr: held, server });
      else this.say({ type: messageType.decline, mac, requested: held, server });
    }
  }

  async run(rounds: number): Promise<void> {
    for (let round = 0; round < rounds && !this.disk.dead; round += 1) {
      const together = 1 + Math.floor(this.random() * 4);
      for (let i = 0; i < together; i += 1) this.act();
      this.time += Math.floor(this.random() * 20_000);
      for (let i = Math.floor(this.random() * 6); i > 0; i -= 1) await new Promise(setImmediate);
    }
    for (let i = 0; i < 12; i += 1) await new Promise(setImmediate);
  }

  /** Everybody's belief is in the table of a server that starts now, for at least as long. */
  checkBeliefs(): void {
    for (const [address, { mac, until }] of this.believed) {
      if (until <= this.time) continue;
      const lease = this.#leases.at('work', address);
      assert.equal(lease?.state, 'bound', `${address} of ${mac} was acknowledged and is lost`);
      assert.equal(lease?.mac, mac);
      assert.ok((lease?.expiresAt ?? 0) - this.leaseClock >= until - this.time, `${address} ends too early`);
    }
  }
}

test('power cut at every disk operation: no acknowledged lease is lost, no address is given twice', async () => {
  let cuts = 0;
  let acknowledged = 0;
  for (const seed of [1, 2]) {
    const rehearsal = new World(seed);
    await rehearsal.boot();
    await rehearsal.run(60);
    for (let cutAt = 1; cutAt <= rehearsal.disk.operations; cutAt += 1) {
      const world = new World(seed * 1000 + cutAt);
      await world.boot();
      world.disk.cutAt = cutAt;
      await world.run(90);
      acknowledged += world.believed.size;
      world.disk.restart();
      world.time += Math.floor(world.random() * 100_000);
      await world.boot();
      world.checkBeliefs();
      // And a second time, in the middle of the recovery.
      world.disk.cutAt = world.disk.operations + 1 + Math.floor(world.random() * 12);
      await world.run(20);
      world.disk.restart();
      await world.boot();
      world.checkBeliefs();
      await world.run(20);
      cuts += 2;
    }
  }
  assert.ok(cuts >= 200, `${cuts} cuts`);
  assert.ok(acknowledged > cuts, `${acknowledged} leases at ${cuts} cuts`);
  console.log(`# ${cuts} power cuts, ${acknowledged} acknowledged leases held at the first of each pair`);
});
