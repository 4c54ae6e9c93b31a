/** The operator API, from the page's side. */

/** A refusal: which field, and what was expected there. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {{ error?: string, problems?: { field: string, message: string }[] }} body
   */
  constructor(status, body) {
    super(
      body.problems?.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('\n') ??
        sentences[body.error ?? ''] ??
        `The portal answered ${status}.`,
    );
    this.status = status;
    this.problems = body.problems ?? [];
  }
}

/** @type {Record<string, string>} */
const sentences = {
  refused: 'Name, password and code do not fit together.',
  slowDown: 'Too many attempts. Wait a minute.',
  notAllowed: 'Your role does not allow this.',
  loginFirst: 'Log in first.',
};

let csrf = '';

/** @param {string} token */
export function useToken(token) {
  csrf = token;
}

/**
 * @param {string} method
 * @param {string} path below /api
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function api(method, path, body) {
  const response = await fetch(`/api${path}`, {
    method,
    headers: { 'content-type': 'application/json', 'moat-csrf': csrf },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401 && !path.startsWith('/login')) window.dispatchEvent(new Event('loggedout'));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}
