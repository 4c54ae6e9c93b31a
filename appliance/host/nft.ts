/** Puts the ruleset in force: checked first, then all of it in one transaction of the kernel. */
import { spawn } from 'node:child_process';

/** @throws {Error} with what nft said; the rules before stay in force. */
export async function applyFirewall(text: string): Promise<void> {
  await nft(['-c', '-f', '-'], text);
  await nft(['-f', '-'], text);
}

/** Whether our table is there: somebody may have flushed it. */
export async function firewallPresent(table: string): Promise<boolean> {
  return nft(['list', 'chain', 'inet', table, 'forward'], '').then(
    () => true,
    () => false,
  );
}

function nft(parameters: readonly string[], input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', parameters, { stdio: ['pipe', 'ignore', 'pipe'], timeout: 10_000 });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(0, 4000);
    });
    child.stdin.on('error', () => {});
    child.on('error', (error) => reject(new Error(`the firewall could not be set: ${error.message}`)));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the firewall could not be set: nft: ${said.split('\n')[0] || `exit code ${code}`}`));
    });
    child.stdin.end(input);
  });
}
