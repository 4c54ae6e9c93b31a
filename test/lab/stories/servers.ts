import { pagesOfServers } from '../pages.ts';
import type { Story } from '../story.ts';

const mtu = 1400;

/** The table of the moat paper without any moat: who fails here has to be saved by the tunnel of the mtu story. */
export const story: Story = {
  name: 'servers',
  summary: "the paper's three kinds of servers on a path smaller than they think, without moat: the lab is honest",
  async run({ world, step }) {
    const lab = await world({ plainPath: true, servers: true });
    await lab.internet.impair({ mtu });
    await pagesOfServers(step, lab, `path of ${mtu}, ICMP passing`, ['well-behaved', 'naughty']);
    await lab.internet.impair({ mtu, icmp: 'eaten' });
    await pagesOfServers(step, lab, `path of ${mtu}, ICMP eaten`, ['well-behaved']);
  },
};
