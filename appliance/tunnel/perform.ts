import type { Dataplane } from '../../native/index.ts';
import type { IkeEffect } from '../ike/api.ts';

export type DataplaneEffect = Exclude<IkeEffect, { readonly kind: 'report' }>;

export function performOn(dataplane: Dataplane, effect: DataplaneEffect): void {
  switch (effect.kind) {
    case 'send':
      dataplane.send(effect.bytes, effect.path);
      break;
    case 'installInbound':
      dataplane.installInbound(effect.sa);
      effect.sa.key.wipe(); // the data plane has its own copy
      break;
    case 'installOutbound':
      dataplane.installOutbound(effect.sa);
      effect.sa.key.wipe();
      break;
    case 'activateOutbound':
      dataplane.activateOutbound(effect.tunnel, effect.spi);
      break;
    case 'removeInbound':
      dataplane.removeInbound(effect.spi);
      break;
    case 'removeOutbound':
      dataplane.removeOutbound(effect.tunnel, effect.spi);
      break;
    case 'movePath':
      dataplane.movePath(effect.tunnel, effect.path);
      break;
    case 'demandCookies':
      dataplane.demandCookies(effect.secrets, effect.milliseconds);
      break;
  }
}
