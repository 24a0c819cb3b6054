import { drivers } from '../../platform/index.ts';
import { responses } from '../policy/responses.ts';
import { notifyingNames } from './notifications.ts';

/** The names that a configuration may use. */
export const knownNames = {
  responses: responses.map(({ name }) => name),
  drivers: drivers.map(({ name }) => name),
  notifying: notifyingNames(),
} as const;
