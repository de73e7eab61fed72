import 'reflect-metadata';
import { runService } from '#libs/platform';
import { startStandalone } from './standalone.js';

await runService('usage-ledger', startStandalone);
