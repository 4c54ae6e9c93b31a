import { startPair } from '../interop/pair.ts';
import { startMoats } from '../lab/moat-pair.ts';
import { World } from '../lab/world.ts';

/** Something between pc and corp that is measured. */
export interface Subject {
  readonly name: string;
  /** Builds its world and says what really carries the packets. */
  start(): Promise<{ world: World; carries: string }>;
}

const plain: Subject = {
  name: 'plain forwarding',
  async start() {
    const world = await World.up({ plainPath: true, name: 'bench-plain' });
    return { world, carries: 'the kernel' };
  },
};

const strongswan: Subject = {
  name: 'strongSwan 5.9.8',
  async start() {
    const world = await World.up({ name: 'bench-strongswan' });
    const { home, portal } = await startPair(world, 'ed25519');
    await home.initiate('portal');
    const child = (await portal.listSas())[0]?.children[0];
    if (child?.state !== 'INSTALLED') throw new Error('strongSwan brought no tunnel up');
    return {
      world,
      carries: `${child.encryption} ${child.mode}${child.isEncapsulated ? ' in UDP' : ''}, kernel-libipsec`,
    };
  },
};

const moat: Subject = {
  name: 'moat',
  async start() {
    const world = await World.up({ name: 'bench-moat' });
    const { home } = await startMoats(world);
    const child = (await home.peer()).ike?.children[0];
    if (!child) throw new Error('moat brought no tunnel up');
    const outside = child.encapsulation === 'udp' ? ' in UDP' : '';
    return { world, carries: `${child.cipher}${child.esn ? ' ESN' : ''} ${child.mode}${outside}` };
  },
};

export const subjects: readonly Subject[] = [plain, moat, strongswan];
