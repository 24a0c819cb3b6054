/** What the kernel tells of changes to routes (rtnetlink(7), linux/rtnetlink.h). */
import type { NetlinkMessage } from './netlink-message.ts';

/** NETLINK_ROUTE, and its groups RTNLGRP_IPV4_ROUTE and RTNLGRP_IPV6_ROUTE. */
export const routeProtocol = 0;
export const routeGroups = [7, 11] as const;

const newRoute = 24;
const deletedRoute = 25;
/** NLM_F_REPLACE */
const replaces = 0x100;
const headerBytes = 12;

/**
 * What a message says that can concern routes of a protocol number; undefined if nothing. What was
 * replaced is not told, so that any route to a single address in place of another may have been ours.
 * Prefixes are left out: routing daemons replace them all the time.
 */
export function readRouteChange(
  { type, flags, payload }: NetlinkMessage,
  protocol: number,
): string | undefined {
  if (payload.length < headerBytes) return undefined;
  const [family = 0, length = 0, , , , by = 0] = payload;
  if (type === deletedRoute) return by === protocol ? 'route deleted' : undefined;
  if (type !== newRoute || (flags & replaces) === 0 || by === protocol) return undefined;
  return length === (family === 2 ? 32 : 128) ? 'route replaced' : undefined;
}
