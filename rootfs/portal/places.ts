/** Where a flashed portal keeps things. */
export const portalFolder = '/var/lib/moat-portal';
export const backupFolder = '/var/lib/moat-portal-backups';
/** Below a stick with the label MOAT-BACKUP. */
export const onStickFolder = 'moat-portal';
/** On the FAT partition: an order to take the newest backup of the stick. */
export const restoreMark = 'portal-restore';
export const firstOperatorFile = 'first-operator.txt';
