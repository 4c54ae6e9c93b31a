/** Copies what the portal gave into the vault: runs when the box's key or its portal changes, not only at the next start. */
import { readVault, writeVault } from './disk.ts';
import { keepPortal } from './portal-copy.ts';

const { vault } = readVault();
writeVault({ ...vault, portal: keepPortal(vault.portal) });
