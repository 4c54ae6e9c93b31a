/** Personal images: chosen by a change-like call, fetched by a link that the browser itself saves to a disk. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { recordName } from '../facts/fields.ts';
import { refuse } from '../facts/refusal.ts';
import { baseImagePath, baseImages, personalName, sendPersonalImage } from '../image/files.ts';
import { inFolder } from '../settings/settings.ts';
import type { Asked, Route } from './routes.ts';

interface Wanted {
  readonly operatorId: number;
  readonly image: string;
  readonly device: string;
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

const linkMs = 300_000;
const mostLinks = 100;
/** Each keeps a processor busy. */
const mostAtOnce = 4;

/** Links that were given out and not followed, and how many images are on their way. */
export class Downloads {
  readonly #links = new Map<string, Wanted>();
  #running = 0;

  offer(wanted: Wanted): string {
    const [oldest] = this.#links.keys();
    if (this.#links.size >= mostLinks && oldest !== undefined) this.#links.delete(oldest);
    const link = randomBytes(24).toString('base64url');
    this.#links.set(link, wanted);
    return link;
  }

  /** Once, by whom it was made for. */
  take(link: string, operatorId: number, now: number): Wanted | null {
    const wanted = this.#links.get(link);
    if (!wanted || wanted.operatorId !== operatorId) return null;
    this.#links.delete(link);
    return wanted.until > now ? wanted : null;
  }

  /** False when there are too many already. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (this.#running >= mostAtOnce) return false;
    this.#running += 1;
    try {
      await work();
    } finally {
      this.#running -= 1;
    }
    return true;
  }
}

export const imageRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/images',
    role: 'operator',
    answer: async (asked) => baseImages(folderOf(asked)),
  },
  {
    method: 'POST',
    path: '/devices/:name/image',
    role: 'operator',
    body: z.strictObject({
      image: z.string().max(200),
      token: z.string().regex(/^moat1\.[\w-]{1,400}\.[\w-]{43}\.[0-9A-Z-]{0,40}$/, 'expected an enrolment token'),
    }),
    answer: offer,
  },
  { method: 'GET', path: '/downloads/:link', role: 'operator', answer: download },
];

function folderOf({ settings }: Asked): string {
  return inFolder(settings, settings.images.folder);
}

async function offer(asked: Asked) {
  const { downloads, session, params, body, now } = asked;
  const device = recordName.safeParse(params.name);
  if (!device.success) refuse('name', 'expected the name of a device');
  const [image, token] = [String(body.image), String(body.token)];
  baseImagePath(folderOf(asked), image);
  const { operatorId } = session;
  const link = downloads.offer({ operatorId, image, token, device: String(params.name), until: now + linkMs });
  return { link: `/api/downloads/${link}` };
}

async function download(asked: Asked): Promise<undefined> {
  const { downloads, session, params, response, now, log } = asked;
  const wanted = downloads.take(params.link ?? '', session.operatorId, now);
  if (!wanted) return refuse('link', 'is good once, for five minutes: make another', 'missing');
  const { image, device, token } = wanted;
  const path = baseImagePath(folderOf(asked), image);
  const started = await downloads.run(async () => {
    response.attachment(personalName(image, device)).type('application/gzip');
    // Too late for an answer in words: the browser sees a download that broke off.
    await sendPersonalImage({ path, token, now }, response).catch((error: Error) => {
      log.warn({ image, problem: error.message }, 'personalImageFailed');
      response.destroy();
    });
  });
  if (!started) response.status(503).set('retry-after', '60').json({ error: 'busy' });
}
